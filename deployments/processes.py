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


def end_tree(process: subprocess.Popen[bytes]) -> None:
    """End what a process started, then the process; what does not end when asked is killed."""
    end_descendants(process.pid)
    process.terminate()
    if not _wait_until(lambda: has_ended(process), seconds=ENDS_WITHIN_S):
        process.kill()
    process.wait()


def end_descendants(pid: int) -> None:
    """End everything below a process: asked first, killed when it does not listen."""
    _signal(descendants_of(pid), signal.SIGTERM)
    if not _wait_until(lambda: not descendants_of(pid), seconds=ENDS_WITHIN_S):
        _signal(descendants_of(pid), signal.SIGKILL)


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None


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
