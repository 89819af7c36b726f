"""Ends processes with everything that they started, and starts those anew that must run
on.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from connectors.foreign import words_of
from deployments.local_server import ServerFailed

PATIENCE_S = (1, 2, 5, 10, 30)
STEADY_AFTER_S = 60.0
STARTS_WITHIN_S = 120.0
CHECKS_EVERY_S = 10.0
HANGS_AFTER_CHECKS = 15  # Prefect's worker pauses up to 104 s after its server was away


@dataclass(eq=False, kw_only=True)
class Supervised:
    """One child: how to start it, how to check that it works, and how often it had to
    be started again.

    `is_well` may take seconds. It counts from two minutes after a start, and only a row
    of failures is believed, so that neither a slow start nor a machine that was asleep
    is taken for a process that hangs.
    """

    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    is_well: Callable[[], bool] | None = None
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    ended: int = 0
    not_before: float = 0.0
    next_check: float = 0.0
    unwell: int = 0

    def begin(self) -> None:
        self.process = self.start()
        self.started_at = time.monotonic()
        self.next_check, self.unwell = self.started_at + STARTS_WITHIN_S, 0

    def keep_running(self) -> str:
        """Start it again when it has ended, after a growing pause, or hangs; answers
        what was done, and why.
        """
        if self.process and self.process.poll() is None:
            return self._again_if_it_hangs(self.process)
        now = time.monotonic()
        if self.process:
            self._pause(
                now, 0 if now - self.started_at > STEADY_AFTER_S else self.ended
            )
        return "" if now < self.not_before else self._begin_again("had ended")

    def _pause(self, now: float, ended_before: int) -> None:
        self.process, self.ended = None, ended_before + 1
        self.not_before = now + PATIENCE_S[min(self.ended, len(PATIENCE_S)) - 1]

    def _begin_again(self, cause: str) -> str:
        """A disk or a memory that is full for a while must not end the parts beside
        this one.
        """
        try:
            self.begin()
        except (OSError, ServerFailed) as error:
            self._pause(time.monotonic(), self.ended)
            return (
                f"{cause}, can't be started now and is tried again: {words_of(error)}"
            )
        return f"{cause} and was started again"

    def _again_if_it_hangs(self, process: subprocess.Popen[bytes]) -> str:
        if not self._hangs():
            return ""
        end_tree(process)
        return self._begin_again("did not answer any more")

    def _hangs(self) -> bool:
        now = time.monotonic()
        if self.is_well is None or now < self.next_check:
            return False
        self.next_check = now + CHECKS_EVERY_S
        self.unwell = 0 if self.is_well() else self.unwell + 1
        return self.unwell >= HANGS_AFTER_CHECKS


ENDS_WITHIN_S = 8.0


def descendants_of(pid: int) -> list[int]:
    """The processes below this one that run, nearest first; not those whose parent has
    only to read their exit code.
    """
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            state, parent, *_ = stat.read_bytes().rpartition(b")")[2].split()
            if state != b"Z":
                children.setdefault(int(parent), []).append(int(stat.parent.name))
    below = [*children.get(pid, ())]
    for one in below:
        below += children.get(one, ())
    return below


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end; kill it when it does not."""
    process.terminate()
    try:
        process.wait(ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def end_tree(process: subprocess.Popen[bytes]) -> None:
    """End the children of a process, then the process, which is held still so that it
    starts no more meanwhile.
    """
    process.send_signal(signal.SIGSTOP)
    end_descendants(process.pid)
    process.kill()
    process.wait()


def end_descendants(pid: int) -> None:
    """End everything below a process: asked first, killed when it does not end."""
    _signal(descendants_of(pid), signal.SIGTERM)
    deadline = time.monotonic() + ENDS_WITHIN_S
    while (alive := descendants_of(pid)) and time.monotonic() < deadline:
        time.sleep(0.1)
    _signal(alive, signal.SIGKILL)


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
