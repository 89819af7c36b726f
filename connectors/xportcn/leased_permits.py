"""The part of the account's calls that a process leases from the ledger, where all its
processes share them.

Of the calls a second it leases a share, requested about four times a second while calls
are made, beside them: a call takes its permit from the process's own bucket. A process
that makes no calls requests nothing and writes nothing. Of the calls of a day it leases
a lot at a time.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from connectors.foreign import words_of
from connectors.xportcn.breaker import CircuitBreaker
from connectors.xportcn.errors import NotSent
from connectors.xportcn.limits import TokenBucket
from connectors.xportcn.wire import CHINA
from domain.fair_pace import KEEP_S, PERIOD_S, Lease, RateClient

POLL_S = 0.5
"""Without a limit of calls: the interval in which a calling process checks whether
another was throttled.
"""
IDLE_S = 1.0
HEADROOM = 1.25

Answer = TypeVar("Answer")
log = logging.getLogger("sourcing")


class RateServer(Protocol):
    """The source of the account's rate. Its methods may block, and fail."""

    def lease(self, name: str, client: RateClient) -> Lease: ...

    def leave(self, name: str, permits: float) -> None: ...

    def hold(self, pause_s: float) -> None: ...

    def poll(self) -> tuple[float, bool]: ...


class LeasedRate(TokenBucket):
    """A breaker's permits at the share of this process. `limit` is its setting of the
    account's calls a second.

    Calls go on at the last share while the ledger can't be reached. Without a limit of
    its own, 0, the process keeps to the limit of others on the ledger, while they call.
    """

    def __init__(
        self,
        server: RateServer,
        breaker: CircuitBreaker,
        *,
        name: str,
        limit: float,
        clock: Callable[[], float],
    ) -> None:
        super().__init__(limit, clock=clock)
        self._server = server
        self._breaker = breaker
        self._name = name
        self._limit = limit
        self._is_leasing = limit > 0
        self._valid_until = 0.0
        self._calls, self._since = 0, clock()
        self._last_call = clock()
        self._is_known = self._has_warned = False
        self._held_until = 0.0
        self._ended = asyncio.Event()
        self._feeding: asyncio.Task[None] | None = None
        self._reporting = set[asyncio.Task[None]]()

    # for the breaker

    def take(self) -> float:
        self._last_call = now = self._clock()
        if self._feeding is None or self._feeding.done():
            self._feeding = asyncio.create_task(self._feed())
        if self._is_leasing and now >= self._valid_until:
            return math.inf
        wait_s = super().take()
        self._calls += not wait_s
        return wait_s

    def put_back(self) -> None:
        super().put_back()
        self._calls -= 1

    def on_throttled(self, pause_s: float) -> None:
        until = self._clock() + pause_s
        if (
            until < self._held_until + POLL_S
        ):  # calls in flight at one moment are throttled together
            return
        self._held_until = until
        self.empty(until)
        report = self._tried(lambda: self._server.hold(max(0.0, until - self._clock())))
        reporting = asyncio.create_task(report)
        self._reporting.add(reporting)
        reporting.add_done_callback(self._reporting.discard)

    # inside

    async def aclose(self) -> None:
        """Give up the share."""
        self._ended.set()
        if working := {*self._reporting, *([self._feeding] if self._feeding else [])}:
            await asyncio.wait(working)

    async def _feed(self) -> None:
        """Ask for a share as long as calls are made, and a second more."""
        while not self._is_over():
            while not self._is_over():
                again_s = await (self._lease() if self._is_leasing else self._poll())
                with suppress(TimeoutError):
                    async with asyncio.timeout(again_s):
                        await self._ended.wait()
            await self._leave()

    def _is_over(self) -> bool:
        is_idle = (
            not self._breaker.could_go and self._clock() - self._last_call > IDLE_S
        )
        return is_idle or self._ended.is_set()

    async def _lease(self) -> float:
        """Request a share for calls that could go now, and for as many as usually
        follow; answers the next time.
        """
        now, is_new = self._clock(), not self._is_known
        often = self._calls / max(now - self._since, PERIOD_S / 10)
        usual = self._breaker.size if is_new else math.ceil(HEADROOM * often * PERIOD_S)
        self._calls, self._since, self._is_known = 0, now, True
        wants = (self._breaker.could_go + usual + 1) / PERIOD_S
        asking = RateClient(wants=wants, limit=self._limit)
        if not is_new:
            self._valid_until = (
                math.inf
            )  # until the answer, however late, calls go on at the last share
        lease = await self._tried(lambda: self._server.lease(self._name, asking))
        if lease is not None:
            self.set_rate(lease.share)
            if is_new:
                self.permits = lease.permits
            if lease.pause_s:
                self._hold(lease.pause_s)
        again_s = lease.again_s if lease is not None else PERIOD_S
        self._is_leasing = self.per_second < math.inf
        self._valid_until = self._clock() + again_s + KEEP_S
        self._breaker.admit()
        return again_s

    async def _poll(self) -> float:
        """Check whether others were throttled, or have a limit."""
        if self._is_known:
            await self._leave()
        seen = await self._tried(self._server.poll)
        pause_s, self._is_leasing = seen or (0.0, False)
        if pause_s:
            self._hold(pause_s)
        return 0.0 if self._is_leasing else POLL_S

    async def _leave(self) -> None:
        if self._is_known:
            self._fill()
            unused, self._is_known, self._valid_until = self.permits, False, 0.0
            await self._tried(lambda: self._server.leave(self._name, unused))

    def _hold(self, pause_s: float) -> None:
        self._held_until = max(self._held_until, self._clock() + pause_s)
        self.empty(self._held_until)
        self._breaker.hold_back(pause_s)

    async def _tried(self, ask: Callable[[], Answer]) -> Answer | None:
        try:
            return await asyncio.to_thread(ask)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing but the sharing is lost by it
            log.debug("no answer about the account's rate: %s", words_of(error))
            if not self._has_warned:
                log.warning(
                    "The ledger says nothing of the account's rate: calls go on at the last known share of it"
                )
            self._has_warned = True
            return None


@asynccontextmanager
async def leasing(
    server: RateServer, breaker: CircuitBreaker, *, client: str, limit: float
) -> AsyncIterator[LeasedRate]:
    """The breaker keeps to the ledger's rate in the block."""
    permits = LeasedRate(server, breaker, name=client, limit=limit, clock=breaker.now)
    try:
        with breaker.at_rate(permits):
            yield permits
    finally:
        await permits.aclose()


FOR_OTHERS = 0.5
"""The share of the day's calls that may be used for anything but buying."""
MOST_OF_A_LOT = 100


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
                self._left = await asyncio.to_thread(
                    self._server.take_today, day, self._lot, self._most
                )
                self._day = day
            if not self._left:
                raise self._none_left(day + timedelta(days=1), now)
            self._left -= 1

    def close(self) -> None:
        """Give back what was not used, where the ledger can be reached."""
        if self._left and self._day:
            with suppress(Exception):  # as a run ends: how it ends is the news
                self._server.take_today(self._day, -self._left, self._most)
            self._left = 0

    def _none_left(self, until: datetime, now: datetime) -> NotSent:
        kept = (
            ""
            if self._most == self._whole
            else f", but for {self._whole - self._most:,} that are kept for buying"
        )
        words = (
            f"the {self._whole:,} calls of today (XPORTCN_CALLS_A_DAY) are used up{kept}; "
            f"the next from {until.astimezone(CHINA):%Y-%m-%d %H:%M} China time on"
        )
        if words != self.used_up:
            log.warning("%s", words)
        self.used_up = words
        return NotSent(words, retry_after_s=(until - now).total_seconds())
