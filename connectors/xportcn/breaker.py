"""The circuit breaker: it bounds calls in flight, waits while the service is away, and
slows all calls that the service throttles.

A process has a breaker for each address. Calls wait here, before their time-out begins
and before anything is claimed: never in the HTTP pool. Several failures in a row raise
a suspicion; a cheap probe then decides whether the service is away or only those calls
fail. While it is away, the probe alone is sent, ever more seldom, and all calls wait.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from connectors.xportcn.errors import ServiceAway
from connectors.xportcn.permits import RETAKE_S, Permits

Probe = Callable[[], Awaitable[bool]]
SUSPECT_FAILURES = 4
"""This many failures in a row, without a good answer between them, may mean that the
service is away.
"""
MIN_PROBE_S = 1.0
MAX_PROBE_S = 300.0
MIN_THROTTLED_S = 0.25
MAX_STRAIN = 6
"""A pause that the service gives no length for doubles at most this often."""
GROW_S = 60.0
"""After this long without 429 one more call goes at once, up to the number at first."""
MIN_WAIT_S = 0.001
"""The resolution of a clock: a call that waits for less would wait again and again."""
LEASE_WAIT_S = 2.0
"""Even a call that holds a lease waits for this long."""
CLAIM_AHEAD_S = 10.0
"""Calls claimed at once are limited to the permits of this time: leases run while they
wait.
"""
TOO_MANY = "the service has too many calls"

_may_wait: ContextVar[bool] = ContextVar("may_wait", default=True)


@contextmanager
def fail_fast() -> Iterator[None]:
    """Reads of this context raise `ServiceAway` while the service is away, instead of
    waiting for it.
    """
    token = _may_wait.set(False)
    try:
        yield
    finally:
        _may_wait.reset(token)


@dataclass(frozen=True, slots=True)
class BreakerNews:
    """Why calls wait, for how many seconds so far, and the seconds to the next try; no
    `why`: calls go on.
    """

    why: str
    for_s: float = 0.0
    next_try_s: float = 0.0
    is_throttled: bool = False


BACK = BreakerNews("")


class CircuitBreaker:
    """Bounds and holds back the calls to one address; never more than `at_once` are in
    flight.

    The number halves at 429 and grows by one after each minute without. Each call takes
    a permit as it leaves (`at_rate`). Calls that hold a lease go first.

    An absent service is waited for `patience_s` after its last good answer, or its
    first failure; 0: not at all, each call fails by itself.
    """

    def __init__(
        self,
        *,
        at_once: int,
        patience_s: float = 0.0,
        per_second: float = 0.0,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        luck: Callable[[], float] = random.random,
    ) -> None:
        self.listener: Callable[[BreakerNews], None] = lambda _news: None
        self._patience_s = patience_s
        self._clock = clock or _loop_time
        self._sleep = sleep
        self._luck = luck
        self._permits = [Permits(per_second, clock=self._clock)]
        self._background = set[asyncio.Task[None]]()
        self._taking_block: asyncio.Task[None] | None = None
        self._probes: list[Probe] = []
        self._done_by: tuple[datetime, Callable[[], datetime]] | None = None

        self._in_flight = 0
        self._at_once = at_once
        self._size = at_once
        self._grows_at = 0.0
        self._queue = deque[asyncio.Future[None]]()

        self._trouble_since: float | None = None
        self._failures = 0
        self._trouble = "the service is away"
        self._has_notified = False
        self._watch: asyncio.Task[None] | None = None
        self._is_away = False
        self._is_over = False
        self._changed = asyncio.Event()

        self._not_before = 0.0
        self._strain = 0

    # for tasks

    @property
    def waits(self) -> bool:
        """Whether calls wait at all for a service that is away."""
        return self._patience_s > 0

    @property
    def blocked_by(self) -> str:
        """Why no call can be made now; empty when calls can be made."""
        if self._is_throttled:
            return f"{TOO_MANY}; the next in {self.ready_in_s:.0f} s"
        if self._is_away or self._is_over:
            return self._trouble
        return "the service may be away" if self._watch is not None else ""

    @property
    def is_over(self) -> bool:
        """Whether patience is used up: this run makes no more calls."""
        return self._is_over or self._is_late()

    @property
    def ready_in_s(self) -> float:
        """The least time without calls, by the service's words; in seconds."""
        return max(0.0, self._not_before - self._clock()) if self._not_before else 0.0

    @property
    def size(self) -> int:
        """The number of calls that may be in flight now; no more than will soon have a
        permit.
        """
        soon = max(1.0, self._permits[-1].per_second * CLAIM_AHEAD_S)
        return int(min(self._size, soon))

    def has_patience(self, since: float) -> bool:
        """Whether a call that was begun at `since` (as of `now`) is worth another
        try.
        """
        return self.now() - since < self._patience_s and not self.is_over

    def now(self) -> float:
        """Seconds on the breaker's clock."""
        return self._clock()

    def until(self, moment: datetime, clock: Callable[[], datetime]) -> None:
        """End patience then at the latest, by `clock`: the breaker's own stands still
        while the machine sleeps.
        """
        self._done_by = moment, clock

    def renew(self) -> None:
        """Begin with new patience, for new work."""
        self._done_by = None
        if self._is_over:
            self._is_over = False
            self._is_away = False
            self._trouble_since = None
            self._failures = 0

    async def wait_ready(self) -> None:
        """Wait until calls can be made. Raises `ServiceAway` once patience is used
        up.
        """
        while self.blocked_by or self._is_late():
            self._require_patience()
            await self._wait(self.ready_in_s or None)

    # for the client

    @asynccontextmanager
    async def passing(self, *, holds_lease: bool) -> AsyncIterator[None]:
        """A place among the calls in flight. Raises `ServiceAway` in place of a long
        wait, for calls that fail fast.
        """
        await self._enter(holds_lease=holds_lease)
        try:
            yield
        finally:
            self._leave()

    def register(self, probe: Probe, *, at_once: int) -> None:
        """Add a client: `probe` makes a cheap call past the breaker and answers whether
        the service answered.
        """
        self._probes.append(probe)
        if at_once != self._at_once:
            self._at_once = at_once
            self._size = at_once

    def unregister(self, probe: Probe) -> None:
        """Remove a client."""
        self._probes.remove(probe)
        if not self._probes and self._watch is not None:
            self._watch.cancel()

    @asynccontextmanager
    async def at_rate(self, permits: Permits) -> AsyncIterator[None]:
        """Take permits from this source in the block."""
        self._permits.append(permits)
        try:
            yield
        finally:
            self._permits.remove(permits)
            if self._taking_block is not None:
                self._taking_block.cancel()
            if self._background:
                await asyncio.wait(self._background)
            self._admit()

    def on_success(self) -> None:
        """Record an answer to a call: the service is there."""
        self._failures = 0
        self._strain = max(0, self._strain - 1)
        if self._watch is None and self.ready_in_s <= 0:
            self._trouble_since = None
            self._notify_back()
        if self._size < self._at_once and self._clock() >= self._grows_at:
            self._size += 1
            self._grows_at = self._clock() + GROW_S
            self._admit()

    def on_failure(self, message: str) -> None:
        """Record a call without an answer, or answered only by a proxy before the
        service.
        """
        if not self.waits:
            return
        self._begin_trouble()
        self._failures += 1
        self._trouble = f"the service is away ({message})"
        is_suspect = self._failures >= SUSPECT_FAILURES and self._watch is None
        if is_suspect and self._probes and not self._is_over:
            self._changed.clear()
            self._watch = asyncio.create_task(self._come_back())

    def on_throttled(self, retry_after_s: float | None) -> None:
        """Record that the service has too many calls: all wait, and fewer go at
        once.
        """
        if not self.waits:
            return
        if self.ready_in_s > 0:  # calls in flight are throttled together: once counts
            self._hold_back(retry_after_s or 0.0)
            return
        self._strain = min(MAX_STRAIN, self._strain + 1)
        pause_s = self._luck() * MIN_THROTTLED_S * 2.0**self._strain
        self._hold_back(max(pause_s, retry_after_s or 0.0))
        if self._permits[-1].is_limited:
            self._in_background(self._permits[-1].pause(self.ready_in_s))

    # inside

    @property
    def _is_throttled(self) -> bool:
        return self.ready_in_s > 0 and not self._is_away

    def _hold_back(self, seconds: float) -> None:
        """Let all calls wait, and fewer go at once afterwards: this process or another
        of the account was throttled.
        """
        self._begin_trouble()
        self._trouble = TOO_MANY
        if self.ready_in_s <= 0:
            self._size = max(1, self._size // 2)
        self._grows_at = self._clock() + GROW_S
        self._not_before = max(self._not_before, self._clock() + seconds)
        if self.ready_in_s > LEASE_WAIT_S:
            self._notify(TOO_MANY, self.ready_in_s, is_throttled=True)

    def _begin_trouble(self) -> None:
        if self._trouble_since is None:
            self._trouble_since = self._clock()

    def _ends_at(self) -> float:
        """The time at which patience is used up."""
        since = self._clock() if self._trouble_since is None else self._trouble_since
        return min(since + self._patience_s, self._clock() + self._remaining_s())

    def _remaining_s(self) -> float:
        if self._done_by is None:
            return math.inf
        moment, clock = self._done_by
        return (moment - clock()).total_seconds()

    def _is_late(self) -> bool:
        return self._remaining_s() <= 0

    def _require_patience(self) -> None:
        ends_at = self._ends_at()
        ready_at = self._clock() + self.ready_in_s
        if self.is_over or self._clock() >= ends_at or ready_at > ends_at:
            self._is_over = True
            raise self._away()

    def _away(self) -> ServiceAway:
        since = self._clock() if self._trouble_since is None else self._trouble_since
        waited_s = self._clock() - since
        reason = self.blocked_by or "the time for it is over"
        for_s = f" for {_span(waited_s)}" if waited_s >= 1 else ""
        return ServiceAway(
            f"{reason}{for_s}; nothing was done",
            retry_after_s=self.ready_in_s or None,
        )

    async def _ready_soon(self) -> None:
        ends_at = self._clock() + LEASE_WAIT_S
        while self.blocked_by or self._is_late():
            remaining_s = ends_at - self._clock()
            is_long = remaining_s <= 0 or self.ready_in_s > remaining_s
            if self._is_away or self.is_over or is_long:
                raise self._away()
            await self._wait(min(remaining_s, self.ready_in_s or remaining_s))

    async def _wait(self, seconds: float | None) -> None:
        """Wait until something changes, `seconds` at most."""
        if self._watch is None:
            await self._sleep(max(seconds or 0.0, MIN_WAIT_S))
            return
        waiting = asyncio.ensure_future(self._changed.wait())
        timeout = max(seconds, MIN_WAIT_S) if seconds is not None else None
        try:
            await asyncio.wait({waiting}, timeout=timeout)
        finally:
            waiting.cancel()

    async def _enter(self, *, holds_lease: bool) -> None:
        may_wait = _may_wait.get() and not holds_lease
        while True:
            await (self.wait_ready() if may_wait else self._ready_soon())
            await self._queue_for_place(is_urgent=holds_lease)
            if not self.blocked_by:
                return
            self._give_up()

    async def _queue_for_place(self, *, is_urgent: bool) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._queue.appendleft if is_urgent else self._queue.append)(turn)
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_up()
            raise

    def _give_up(self) -> None:
        """Free a place that was taken without a call."""
        self._permits[-1].put_back()
        self._leave()

    def _leave(self) -> None:
        self._in_flight -= 1
        self._admit()

    def _admit(self) -> None:
        """Admit waiting calls, as far as there are places and permits."""
        while self._queue and self._in_flight < self._size:
            if not self._queue[0].done():
                if not self._is_permitted():
                    return
                self._in_flight += 1
                self._queue[0].set_result(None)
            self._queue.popleft()

    def _is_permitted(self) -> bool:
        """Take a permit. Without one, waiting calls are admitted once a block came."""
        if self._permits[-1].take():
            return True
        if self._taking_block is None:
            self._taking_block = self._in_background(self._take_block())
        return False

    async def _take_block(self) -> None:
        """Take permits for the calls that wait."""
        try:
            block = await self._permits[-1].take_block(len(self._queue))
            if block.pause_s and self.waits:
                self._hold_back(block.pause_s)
            if not block.permits:
                # two processes that ask at like intervals would starve each other
                await self._sleep(max(block.wait_s, RETAKE_S * (0.5 + self._luck())))
        finally:
            self._taking_block = None
        self._admit()

    def _in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    async def _come_back(self) -> None:
        """Probe until the service answers or patience is used up."""
        try:
            while not await self._probes[-1]():
                self._is_away = True
                remaining_s = self._ends_at() - self._clock()
                if remaining_s <= 0:
                    self._is_over = True
                    return
                pause_s = min(remaining_s, self._pause_between_probes())
                self._notify(self.blocked_by, pause_s, is_throttled=self._is_throttled)
                await self._sleep(pause_s)
            self._failures = 0
            self._trouble_since = None
            self._is_away = False
            self._notify_back()
        finally:  # a probe that fails, or whose client left, must not leave the breaker open without a probe
            self._watch = None
            self._is_away = self._is_away and self._is_over
            self._changed.set()

    def _pause_between_probes(self) -> float:
        away_s = self._clock() - (self._trouble_since or self._clock())
        pause_s = min(MAX_PROBE_S, max(MIN_PROBE_S, away_s / 4))
        return pause_s * (0.75 + self._luck() / 2)

    def _notify_back(self) -> None:
        if self._has_notified:
            self._has_notified = False
            self.listener(BACK)

    def _notify(self, reason: str, next_try_s: float, *, is_throttled: bool) -> None:
        self._has_notified = True
        for_s = self._clock() - (self._trouble_since or self._clock())
        self.listener(BreakerNews(reason, for_s, next_try_s, is_throttled))


def _loop_time() -> float:
    """The clock of time-outs."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return time.monotonic()


def _span(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"


_breakers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, CircuitBreaker]] = (
    WeakKeyDictionary()
)


def breaker_of(address: str, **made_with: Any) -> CircuitBreaker:
    """This process's breaker for an address; made when there is none. Consecutive runs
    share its state.
    """
    loop = asyncio.get_running_loop()
    breakers = _breakers.setdefault(loop, {})
    if address not in breakers:
        breakers[address] = CircuitBreaker(**made_with)
    breakers[address].renew()
    return breakers[address]
