"""Ends processes with everything that they started."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

ENDS_WITHIN_S = 8.0


def children_of(pid: int) -> list[int]:
    """The processes that this one started and that still run."""
    try:
        listed = [thread.read_text() for thread in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    return [int(child) for line in listed for child in line.split()]


def descendants_of(pid: int) -> list[int]:
    """The processes below this one, nearest first."""
    children = children_of(pid)
    return children + [one for child in children for one in descendants_of(child)]


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end; kill it when it does not."""
    process.terminate()
    if not _wait_until(lambda: has_ended(process), seconds=ENDS_WITHIN_S):
        process.kill()
    process.wait()


def end_tree(process: subprocess.Popen[bytes]) -> None:
    """End the children of a process, then the process, which is held still so that it starts no more meanwhile."""
    process.send_signal(signal.SIGSTOP)
    end_descendants(process.pid)
    process.kill()
    process.wait()


def end_descendants(pid: int) -> None:
    """End everything below a process: asked first, killed when it does not end."""
    _signal(_alive_below(pid), signal.SIGTERM)
    if not _wait_until(lambda: not _alive_below(pid), seconds=ENDS_WITHIN_S):
        _signal(_alive_below(pid), signal.SIGKILL)


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None


def _alive_below(pid: int) -> list[int]:
    return [one for one in descendants_of(pid) if not _is_zombie(one)]


def _is_zombie(pid: int) -> bool:
    """Whether it has ended and only its parent has not read its exit code yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _wait_until(condition: Callable[[], bool], *, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
