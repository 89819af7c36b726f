"""Permits that a process leases in bulk from the ledger, where all processes of the account share them.

Of calls a day a part is leased too.

A lease is requested about four times a second while calls are made, beside them: a call takes its permit from the
stock. A process that makes no calls requests nothing and writes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from connectors.foreign import words_of
from connectors.xportcn.breaker import CircuitBreaker
from connectors.xportcn.errors import NotSent
from connectors.xportcn.wire import CHINA
from domain.fair_pace import PERIOD_S, Lease, RateRequest

LIVE_S = 0.5
"""A permit is valid so long after it came, and twice as long after its request; so all stop within a second."""
LATE_S = 0.5
"""A ledger that takes longer to answer is not waited for."""
EARLIEST_S = 0.05
"""The earliest next request of a process that got all it asked for and needs more."""
POLL_S = 0.5
"""Without a limit of calls: the interval in which a calling process checks whether another was throttled."""
IDLE_S = 1.0
HEADROOM = 1.25

Answer = TypeVar("Answer")
log = logging.getLogger("sourcing")


class RateServer(Protocol):
    """The source of the account's permits. Its methods may block, and fail."""

    def lease(self, request: RateRequest) -> Lease: ...

    def leave(self, client: str, back: int) -> None: ...

    def hold(self, pause_s: float) -> None: ...

    def poll(self) -> tuple[float, bool]: ...


class LeasedPermits:
    """The permits of a breaker. `limit` is this process's setting of the account's calls a second; 0 is no limit.

    While the ledger can't be reached, calls go on at the last share of this process; their permits are made up for
    afterwards. Without a limit of its own the process keeps to the limit of others on the ledger, while they call.
    """

    def __init__(
        self,
        server: RateServer,
        breaker: CircuitBreaker,
        *,
        client: str,
        run: str,
        limit: float,
        clock: Callable[[], float],
    ) -> None:
        self.run = run
        self.per_second = limit or math.inf
        self._server = server
        self._breaker = breaker
        self._client = client
        self._limit = limit
        self._clock = clock
        self._is_leasing = limit > 0
        self._stock = deque[list[float]]()
        """Permits in hand as number and expiry, the oldest first."""
        self._back = 0
        self._part = 0.0
        self._calls, self._since = 0, clock()
        self._last_call = clock()
        self._is_known = self._got_all = self._has_warned = False
        self._held_until = 0.0
        self._needs_more, self._ended = asyncio.Event(), asyncio.Event()
        self._feeding: asyncio.Task[None] | None = None
        self._reporting = set[asyncio.Task[None]]()

    # for the breaker

    def take(self) -> float:
        self._last_call = now = self._clock()
        if self._feeding is None or self._feeding.done():
            self._feeding = asyncio.create_task(self._feed())
        if self._is_leasing:
            self._drop_old(now)
            if not self._stock:
                self._needs_more.set()
                return math.inf
            self._stock[0][1] -= 1
            if not self._stock[0][1]:
                self._stock.popleft()
        self._calls += 1
        return 0.0

    def put_back(self) -> None:
        self._calls -= 1
        if self._is_leasing:
            self._stock.append([self._clock() + LIVE_S, 1])

    def on_throttled(self, pause_s: float) -> None:
        until = self._clock() + pause_s
        if until < self._held_until + POLL_S:  # calls in flight at one moment are throttled together
            return
        self._held_until = until
        self._stock.clear()
        reporting = asyncio.create_task(self._report_pause(until))
        self._reporting.add(reporting)
        reporting.add_done_callback(self._reporting.discard)

    # inside

    async def aclose(self) -> None:
        """Give back the permits in hand."""
        self._ended.set()
        self._needs_more.set()
        if working := {*self._reporting, *([self._feeding] if self._feeding else [])}:
            await asyncio.wait(working)

    async def _feed(self) -> None:
        """Lease permits as long as calls are made, and a second more."""
        while True:
            if self._ended.is_set() or self._is_idle():
                await self._leave()
                if self._ended.is_set() or self._is_idle():
                    return
            self._needs_more.clear()
            again_s = await (self._lease() if self._is_leasing else self._poll())
            await self._passed(self._ended, EARLIEST_S if self._got_all else again_s)
            if self._got_all:
                await self._passed(self._needs_more, again_s - EARLIEST_S)

    def _is_idle(self) -> bool:
        return not self._breaker.could_go and self._clock() - self._last_call > IDLE_S

    async def _passed(self, event: asyncio.Event, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()

    async def _lease(self) -> float:
        """Request permits for calls that could go now, and for as many as usually follow; answers the next time."""
        now = self._clock()
        self._drop_old(now)
        often = self._calls / max(now - self._since, EARLIEST_S)
        usual = math.ceil(HEADROOM * often * PERIOD_S) if self._is_known else self._breaker.size
        wanted = self._breaker.could_go + usual
        self._calls, self._since = 0, now
        have = self._in_hand(keep=wanted)
        asked = RateRequest(
            client=self._client,
            run=self.run,
            wants=(wanted + 1) / PERIOD_S,
            limit=self._limit,
            permits=wanted - have,
            back=self._back,
        )
        self._back, self._is_known = 0, True
        lease = await self._in_time(lambda: self._server.lease(asked))
        if lease is None:
            self._back += asked.back
            return PERIOD_S
        self.per_second = lease.share
        self._is_leasing = lease.share < math.inf
        self._got_all = lease.permits == asked.permits
        if lease.pause_s:
            self._hold(lease.pause_s)
        if lease.permits and self._is_leasing:
            self._stock.append([min(self._clock() + LIVE_S, now + 2 * LIVE_S), lease.permits])
        self._breaker.admit()
        return lease.again_s

    async def _poll(self) -> float:
        """Check whether others were throttled, or have a limit."""
        self._got_all = False
        if self._is_known:
            await self._leave()
        seen = await self._tried(self._server.poll)
        pause_s, self._is_leasing = seen or (0.0, False)
        if pause_s:
            self._hold(pause_s)
        return 0.0 if self._is_leasing else POLL_S

    async def _leave(self) -> None:
        self._drop_old(math.inf)
        if self._is_known:
            back, self._back, self._is_known = self._back, 0, False
            await self._tried(lambda: self._server.leave(self._client, back))

    async def _report_pause(self, until: float) -> None:
        await self._tried(lambda: self._server.hold(max(0.0, until - self._clock())))

    def _hold(self, pause_s: float) -> None:
        self._held_until = max(self._held_until, self._clock() + pause_s)
        self._stock.clear()
        self._breaker.hold_back(pause_s)

    async def _in_time(self, ask: Callable[[], Answer]) -> Answer | None:
        """The answer, also when it is late; until then, and without one, calls go on at the last share."""
        asking = asyncio.ensure_future(self._tried(ask))
        ready, _ = await asyncio.wait({asking}, timeout=LATE_S)
        while not ready:
            self._go_on()
            ready, _ = await asyncio.wait({asking}, timeout=PERIOD_S)
        if (answer := asking.result()) is None:
            self._go_on()
        return answer

    async def _tried(self, ask: Callable[[], Answer]) -> Answer | None:
        try:
            return await asyncio.to_thread(ask)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing but the sharing is lost by it
            log.debug("no answer about the account's rate: %s", words_of(error))
            if not self._has_warned:
                log.warning("The ledger says nothing of the account's rate: calls go on at the last known share of it")
            self._has_warned = True
            return None

    def _go_on(self) -> None:
        """Give out permits for a period without the ledger."""
        if math.isinf(self.per_second):
            self._is_leasing = False
        else:
            self._part += self.per_second * PERIOD_S
            if permits := math.floor(self._part):
                self._part -= permits
                self._back -= permits
                self._stock.append([self._clock() + LIVE_S, permits])
        self._breaker.admit()

    def _drop_old(self, now: float) -> None:
        while self._stock and self._stock[0][0] <= now:
            self._back += int(self._stock.popleft()[1])

    def _in_hand(self, keep: int) -> int:
        """The number of valid permits, `keep` at most: the others go back."""
        while (have := int(sum(count for _, count in self._stock))) > keep:
            surplus = min(have - keep, int(self._stock[0][1]))
            self._back += surplus
            self._stock[0][1] -= surplus
            if not self._stock[0][1]:
                self._stock.popleft()
        return have


@asynccontextmanager
async def leasing(
    server: RateServer, breaker: CircuitBreaker, *, client: str, run: str, limit: float
) -> AsyncIterator[LeasedPermits]:
    """The breaker takes the ledger's permits in the block, for the run of this name, of one or several processes."""
    permits = LeasedPermits(server, breaker, client=client, run=run, limit=limit, clock=breaker.now)
    breaker.use_rate(permits)
    try:
        yield permits
    finally:
        breaker.drop_rate(permits)
        await permits.aclose()


FOR_OTHERS = 0.5
"""The share of the day's calls that may be used for anything but buying."""
MOST_OF_A_LOT = 100


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
