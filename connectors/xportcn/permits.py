"""The permits to call: a process takes them from the account's bucket in the ledger, in
blocks of up to a second's worth, and the calls of a day in lots.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from connectors.foreign import words_of
from connectors.xportcn.errors import NotSent
from connectors.xportcn.wire import CHINA
from domain.pace import BURST_S, Block, full_bucket, paused_bucket, take_block

RETAKE_S = 0.25
"""A process that found no permit asks the ledger no sooner than after this."""
BUYING_RESERVE = 0.5
"""The share of the day's calls that only buying may use."""
MAX_LOT = 100
"""Calls of a day that a process takes at once."""

Answer = TypeVar("Answer")
log = logging.getLogger("sourcing")


class PermitServer(Protocol):
    """The keeper of the account's bucket. Its methods may block, and fail."""

    def take_block(self, wanted: int, per_second: float) -> Block: ...

    def pause(self, pause_s: float, per_second: float) -> None: ...


class OwnBucket:
    """The bucket of one process, beside no other."""

    def __init__(self, per_second: float, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._bucket = full_bucket(per_second, clock())

    def take_block(self, wanted: int, per_second: float) -> Block:
        seconds = self._clock()
        self._bucket, block = take_block(self._bucket, wanted, per_second, seconds)
        return block

    def pause(self, pause_s: float, per_second: float) -> None:
        self._bucket = paused_bucket(self._bucket, pause_s, self._clock())


class Permits:
    """The permits of this process at the account's `per_second`; 0 is no limit, where
    no call needs one.

    Without a `server`, or while it can't be reached, the process keeps a bucket of its
    own. Permits that were not used within a second are dropped.
    """

    def __init__(
        self,
        per_second: float,
        server: PermitServer | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.per_second = per_second or math.inf
        self._server = server
        self._own_bucket = OwnBucket(per_second, clock)
        self._clock = clock
        self._block_size = 0
        self._count = 0
        self._valid_until = 0.0
        self._has_warned = False

    @property
    def is_limited(self) -> bool:
        return self.per_second < math.inf

    def take(self) -> bool:
        """Take a permit for one call, if there is one."""
        if not self.is_limited:
            return True
        if self._count == 0 or self._clock() > self._valid_until:
            return False
        self._count -= 1
        return True

    def put_back(self) -> None:
        """Give back the permit of a call that was not made."""
        self._count += 1

    async def take_block(self, waiting_calls: int) -> Block:
        """Take a block for calls that wait, or for twice as many as used the last one.
        An empty block tells when the next is worth asking for.
        """
        used = self._block_size - self._count
        burst = math.ceil(self.per_second * BURST_S)
        wanted_calls = max(1, min(burst, max(waiting_calls, 2 * used)))
        block = await self._ask(
            lambda server: server.take_block(wanted_calls, self.per_second)
        )
        self._block_size = block.permits
        self._count = block.permits
        self._valid_until = self._clock() + BURST_S
        return block

    async def pause(self, pause_s: float) -> None:
        """Pause all processes of the account: the service throttles it."""
        self._count = 0
        await self._ask(lambda server: server.pause(pause_s, self.per_second))

    async def _ask(self, ask: Callable[[PermitServer], Answer]) -> Answer:
        if self._server is None:
            return ask(self._own_bucket)
        try:
            return await asyncio.to_thread(ask, self._server)
        except Exception as error:  # noqa: BLE001 - whatever it is, only the sharing is lost
            log.debug("no answer about the account's rate: %s", words_of(error))
            if not self._has_warned:
                log.warning(
                    "The ledger says nothing of the account's rate: this process keeps to it by itself"
                )
            self._has_warned = True
            return ask(self._own_bucket)


class DayServer(Protocol):
    """The source of a day's calls. Its method may block, and fail."""

    def take_today(self, day: datetime, calls: int, most: int) -> int: ...


class DailyCalls:
    """The day's calls of this process. A day is China's, from midnight (assumed).

    `used_up` says that none were left for this process, and until when; empty while
    there are some.
    """

    def __init__(
        self,
        server: DayServer,
        *,
        most: int,
        is_buying: bool,
        clock: Callable[[], datetime],
    ) -> None:
        self.used_up = ""
        self._server = server
        self._whole = most
        self._most = most if is_buying else int(most * BUYING_RESERVE)
        self._lot = max(1, min(MAX_LOT, most // 100))
        self._clock = clock
        self._day: datetime | None = None
        self._unused = 0
        self._lock = asyncio.Lock()

    async def take(self) -> None:
        """Take one call. Raises `NotSent` when those of the day are used up."""
        if not self._whole:
            return
        async with self._lock:
            seconds = self._clock().astimezone(CHINA)
            day = seconds.replace(hour=0, minute=0, second=0, microsecond=0)
            if day != self._day or not self._unused:
                self._unused = await asyncio.to_thread(
                    self._server.take_today, day, self._lot, self._most
                )
                self._day = day
            if not self._unused:
                raise self._used_up_until(day + timedelta(days=1), seconds)
            self._unused -= 1

    def close(self) -> None:
        """Give back what was not used, where the ledger can be reached."""
        if self._unused and self._day:
            with suppress(Exception):  # as a run ends: how it ends is the news
                self._server.take_today(self._day, -self._unused, self._most)
            self._unused = 0

    def _used_up_until(self, until: datetime, seconds: datetime) -> NotSent:
        reserve = self._whole - self._most
        reserve_words = (
            f", but for {reserve:,} that are kept for buying" if reserve else ""
        )
        message = (
            f"the {self._whole:,} calls of today (XPORTCN_CALLS_A_DAY) are used up{reserve_words}; "
            f"the next from {until.astimezone(CHINA):%Y-%m-%d %H:%M} China time on"
        )
        if message != self.used_up:
            log.warning("%s", message)
        self.used_up = message
        return NotSent(message, retry_after_s=(until - seconds).total_seconds())
