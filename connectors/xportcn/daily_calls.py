"""The account's calls of a day, shared by all processes of a ledger: a process takes lots of them, and half are kept
for buying.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from connectors.xportcn.errors import NotSent
from connectors.xportcn.wire import CHINA

FOR_OTHERS = 0.5
"""The share of the day's calls that may be used for anything but buying."""
MOST_OF_A_LOT = 100
log = logging.getLogger("sourcing")


class DayServer(Protocol):
    """The source of a day's calls. Its method may block, and fail."""

    def take_today(self, day: datetime, calls: int, most: int) -> int: ...


class DailyCalls:
    """The day's calls of this process. A day is China's, from midnight (assumed).

    `used_up` says that none were left for this process, and until when; empty while there are some.
    """

    def __init__(self, server: DayServer, *, most: int, is_buying: bool, clock: Callable[[], datetime]) -> None:
        self.used_up = ""
        self._server = server
        self._whole = most
        self._most = most if is_buying else int(most * FOR_OTHERS)
        self._lot = max(1, min(MOST_OF_A_LOT, most // 100))
        self._clock = clock
        self._day: datetime | None = None
        self._left = 0
        self._lock = asyncio.Lock()

    async def take(self) -> None:
        """Take one call. Raises `NotSent` when those of the day are used up."""
        if not self._whole:
            return
        async with self._lock:
            now = self._clock().astimezone(CHINA)
            day = now.replace(hour=0, minute=0, second=0, microsecond=0)
            if day != self._day or not self._left:
                self._left = await asyncio.to_thread(self._server.take_today, day, self._lot, self._most)
                self._day = day
            if not self._left:
                raise self._none_left(day + timedelta(days=1), now)
            self._left -= 1

    def close(self) -> None:
        """Give back what was not used."""
        if self._left and self._day:
            self._server.take_today(self._day, -self._left, self._most)
            self._left = 0

    def _none_left(self, until: datetime, now: datetime) -> NotSent:
        kept = "" if self._most == self._whole else f", but for {self._whole - self._most:,} that are kept for buying"
        words = (
            f"the {self._whole:,} calls of today (XPORTCN_CALLS_A_DAY) are used up{kept}; "
            f"the next from {until.astimezone(CHINA):%Y-%m-%d %H:%M} China time on"
        )
        if words != self.used_up:
            log.warning("%s", words)
        self.used_up = words
        return NotSent(words, retry_after_s=(until - now).total_seconds())
