"""How fast this process may call: a token bucket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

BURST_S = 1.0


class TokenBucket:
    """Lets `per_second` calls through, first come first served; up to a second's worth may come at once.

    0 is no limit.
    """

    def __init__(
        self,
        per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._burst = max(BURST_S, self._interval)
        self._clock = clock
        self._sleep = sleep
        self._next = clock() - self._burst

    async def take(self) -> None:
        """Wait for the next turn. Turns are given when asked for, so nobody can overtake."""
        if not self._interval:
            return
        now = self._clock()
        self._next = max(self._next, now - self._burst) + self._interval
        if self._next > now:
            await self._sleep(self._next - now)
