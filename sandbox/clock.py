"""Sandbox time: the real time plus an offset that only grows, and the effects that are
due later.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable

from sandbox.times import SECOND


class Clock:
    """Milliseconds since 1970. While a due effect lands, the clock stands at the moment
    it was due.
    """

    def __init__(self, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self.offset = 0
        self._wall_ns = wall_ns
        self._held_at: int | None = None
        self._latest = 0

    def now(self) -> int:
        if self._held_at is not None:
            return self._held_at
        # a real clock that is set back must not make new orders older than old ones
        self._latest = max(self._latest, self._wall_ns() // 1_000_000 + self.offset)
        return self._latest

    def advance(self, seconds: float) -> None:
        self.offset += round(seconds * SECOND)

    def restart(self, offset: int = 0) -> None:
        self.offset = offset
        self._latest = 0

    def run_at(self, moment: int, effect: Callable[[], None]) -> None:
        self._held_at = moment
        try:
            effect()
        finally:
            self._held_at = None


class Agenda:
    """Events that are due later: unpaid orders close, late effects land. Earliest
    first.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._entries = 0

    def add(self, moment: int, effect: Callable[[], None]) -> None:
        self._entries += 1
        heapq.heappush(self._due, (moment, self._entries, effect))

    def catch_up(self) -> None:
        """Let all due events happen, in the order of their times."""
        if not self._due:
            return
        now = self._clock.now()
        while self._due and self._due[0][0] <= now:
            moment, _, effect = heapq.heappop(self._due)
            self._clock.run_at(moment, effect)

    def clear(self) -> None:
        self._due.clear()
