"""A long-running child process: started again when it has ended, and when it hangs."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from deployments.processes import end_tree, has_ended

PATIENCE_S = (1, 2, 5, 10, 30)
STEADY_AFTER_S = 60.0
STARTS_WITHIN_S = 120.0
CHECKS_EVERY_S = 10.0
HANGS_AFTER_CHECKS = 15  # Prefect's worker pauses up to 104 s after its server was away


@dataclass(eq=False, kw_only=True)
class Supervised:
    """One child: how to start it, how to check that it works, and how often it had to be started again.

    `is_well` may take seconds. It counts from two minutes after a start, and only a row of failures is believed, so
    that neither a slow start nor a machine that was asleep is taken for a process that hangs.
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
        """Start it again when it has ended, after a growing pause, or hangs; answers the cause, if it was started."""
        if self.process and not has_ended(self.process):
            return self._again_if_it_hangs(self.process)
        now = time.monotonic()
        if self.process:
            self.ended = 1 if now - self.started_at > STEADY_AFTER_S else self.ended + 1
            self.not_before = now + PATIENCE_S[min(self.ended, len(PATIENCE_S)) - 1]
            self.process = None
        if now < self.not_before:
            return ""
        self.begin()
        return "had ended"

    def _again_if_it_hangs(self, process: subprocess.Popen[bytes]) -> str:
        if not self._hangs():
            return ""
        end_tree(process)
        self.begin()
        return "did not answer any more"

    def _hangs(self) -> bool:
        now = time.monotonic()
        if self.is_well is None or now < self.next_check:
            return False
        self.next_check = now + CHECKS_EVERY_S
        self.unwell = 0 if self.is_well() else self.unwell + 1
        return self.unwell >= HANGS_AFTER_CHECKS
