"""Which flow runs have a process on this machine: each holds a lock on a file of its own, from before it says it runs.

The system drops the lock with the process. So a file that nobody holds proves a death; where there is none, nothing is
proven. Files, not process ids: an id is soon somebody else's.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from connectors.settings import BadSetting, SourcingSettings

KEPT_S = 7 * 86_400
"""How long the file of a run that has ended is kept: somebody who looks later is told nothing."""


def folder_of(settings: SourcingSettings) -> Path:
    """Where the flow runs that work with a data folder show that they live."""
    return settings.data_dir / "runs"


def hold_lock() -> None:
    """In the process of a flow run: hold its file until the end. Its own first steps tell of bad settings and disks."""
    if run_id := os.environ.get("PREFECT__FLOW_RUN_ID"):
        with suppress(BadSetting, OSError):
            hold(folder_of(SourcingSettings()), run_id)


def hold(folder: Path, run_id: str) -> int:
    """Hold a run's file until this process ends, or the answered descriptor is closed; several may, at once."""
    folder.mkdir(parents=True, exist_ok=True)
    path, unborn = folder / run_id, folder / f".{run_id}-{os.getpid()}"
    held = _held(unborn)  # before anybody finds it
    try:
        os.link(unborn, path)
    except FileExistsError:  # of an attempt before
        os.close(held)
        held = _held(path)
    finally:
        unborn.unlink()
    os.utime(path)
    return held


def has_died(folder: Path, run_id: str) -> bool:
    """Whether the run had a process here and has none; False when this machine can't tell."""
    try:
        file = os.open(folder / run_id, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(file)
    return True


def forget(folder: Path, run_id: str) -> None:
    """Once a dead attempt is told of: the next one may be on another machine, and this file would prove it dead too."""
    if has_died(folder, run_id):
        with suppress(OSError):
            (folder / run_id).unlink()


def prune(folder: Path) -> None:
    """Delete what ended runs left long ago."""
    for path in folder.glob("*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > KEPT_S and has_died(folder, path.name):
                path.unlink()


def _held(path: Path) -> int:
    file = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(file, fcntl.LOCK_SH)
    return file
