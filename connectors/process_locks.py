"""Which flow runs have a process on this machine: each locks a file of its own before
it reports that it runs.

The system drops the lock with the process. So a file without a lock proves a death; a
missing file proves nothing. Files, not process ids: the system reuses ids. A command's
help loads this, so it loads no settings by itself.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

from connectors.durable import put_first

KEPT_S = 7 * 86_400
"""How long the file of an ended run is kept; without it nothing is proven."""


def folder_in(data_dir: Path) -> Path:
    """The folder with the lock files of the flow runs of a data folder."""
    return data_dir / "runs"


def deployed_run() -> str:
    """The flow run that a worker started this process for; empty for none."""
    return os.environ.get("PREFECT__FLOW_RUN_ID", "")


def hold(folder: Path, run_id: str) -> int:
    """Hold a run's file until this process ends or the returned descriptor is closed;
    several processes may at once.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, unborn = folder / run_id, folder / f".{run_id}-{os.getpid()}"
    held = _held(unborn)  # before any process finds it
    put_first(unborn, path)
    kept = _held(path)  # the same file, or that of an earlier attempt
    os.close(held)
    os.utime(path)
    return kept


def has_died(folder: Path, run_id: str) -> bool:
    """Whether the run had a process here and has none; False when this machine can't
    tell.
    """
    return is_free(folder / run_id, fcntl.LOCK_EX)


def is_free(path: Path, lock: int) -> bool:
    """Whether a file is there, and no living process holds a lock on it that excludes
    this one.
    """
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(file, lock | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(file)
    return True


def forget(folder: Path, run_id: str) -> None:
    """Delete the file of a reported dead attempt: it would prove the next one dead,
    which may be on another machine.
    """
    if has_died(folder, run_id):
        with suppress(OSError):
            (folder / run_id).unlink()


def prune(folder: Path) -> None:
    """Delete old files of ended runs."""
    for path in folder.glob("*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > KEPT_S and has_died(
                folder, path.name
            ):
                path.unlink()


def _held(path: Path) -> int:
    file = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(file, fcntl.LOCK_SH)
    return file


PARTS = ("connectors", "domain", "flows", "tasks")


@cache
def program() -> str:
    """`0.9.0-3f9c2a7b51d0`: the version, and a digest of the code that works on
    orders.
    """
    from sourcing.version import FALLBACK

    root, digest = Path(__file__).parent.parent, hashlib.sha256()
    for path in sorted(path for part in PARTS for path in (root / part).rglob("*.py")):
        digest.update(f"{path.relative_to(root)}\0".encode())
        digest.update(path.read_bytes())
    return f"{FALLBACK}-{digest.hexdigest()[:12]}"
