"""The circuit breaker, the one place that bounds calls in flight, waits while the
service is away, and slows all calls.

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
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from connectors.xportcn.errors import ServiceAway
from connectors.xportcn.limits import AdaptiveLimit, TokenBucket

Probe = Callable[[], Awaitable[bool]]
SUSPECT = 4
"""So many failures in a row, without a good answer between them, may mean that the
service is away.
"""
LEAST_PROBE_S, MOST_PROBE_S = 1.0, 300.0
LEAST_PAUSE_S, MOST_STRAIN = 0.25, 6
LEAST_WAIT_S = 0.001
"""The resolution of a clock: a call that waits for less would wait again and again."""
SHORT_S = 2.0
"""Even a call that holds a lease waits so long."""
SOON_S = 10.0
"""Calls claimed at once are limited to the permits of this time: leases run while they
wait.
"""

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
TOO_MANY = "the service has too many calls"


_Queue = deque[asyncio.Future[None]]


class CircuitBreaker:
    """Bounds and holds back the calls to one address; never more than `at_once` are in
    flight.

    Fewer while the service throttles or gets slower with more of them
    (`AdaptiveLimit`). Each call takes a permit as it leaves: of `per_second`, 0 is no
    limit, or of a source that is given (`at_rate`). Calls that hold a lease go first.

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
        self._rates: list[TokenBucket] = [TokenBucket(per_second, clock=self._clock)]
        self._next_permit: asyncio.TimerHandle | None = None
        self._sleep = sleep
        self._luck = luck
        self._probes: list[Probe] = []
        self._done_by: tuple[datetime, Callable[[], datetime]] | None = None

        self._in_flight = 0
        self._limit = AdaptiveLimit(at_once, clock=self._clock)
        self._size = self._limit.now
        self._queues: tuple[_Queue, _Queue] = (deque(), deque())

        self._ever_succeeded = False
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
    def _is_throttled(self) -> bool:
        return self.ready_in_s > 0 and not self._is_away

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
        return int(min(self._size, max(1.0, self._rates[-1].per_second * SOON_S)))

    @property
    def could_go(self) -> int:
        """The number of calls that wait for nothing but a permit."""
        return max(0, min(self._size - self._in_flight, sum(map(len, self._queues))))

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
            self._is_over = self._is_away = False
            self._trouble_since, self._failures = None, 0

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
        if self._limit.most != at_once:
            self._limit = AdaptiveLimit(at_once, clock=self._clock)
        self._size = (
            min(self._size, at_once)
            if self._ever_succeeded or self._strain
            else self._limit.now
        )

    def unregister(self, probe: Probe) -> None:
        """Remove a client."""
        self._probes.remove(probe)
        if not self._probes and self._watch is not None:
            self._watch.cancel()

    @contextmanager
    def at_rate(self, permits: TokenBucket) -> Iterator[None]:
        """Take permits from this source in the block."""
        self._rates.append(permits)
        try:
            yield
        finally:
            self._rates.remove(permits)
            self.admit()

    def admit(self) -> None:
        """Admit waiting calls, as far as there are places and permits."""
        for queue in self._queues:
            while queue and self._in_flight < self._size:
                if queue[0].done():
                    queue.popleft()
                elif self._is_permitted():
                    self._in_flight += 1
                    queue.popleft().set_result(None)
                else:
                    return

    def on_success(self, kind: str = "", seconds: float = 0.0) -> None:
        """Record an answer to a call of a kind, after so many seconds: the service is
        there.
        """
        self._limit.answered(kind, seconds)
        self._ever_succeeded = True
        self._failures = 0
        self._strain = max(0, self._strain - 1)
        if self._watch is None and self.ready_in_s <= 0:
            self._trouble_since = None
            self._notify_back()
        self._size = min(self._size + 1, self._limit.now)
        self.admit()

    def on_failure(self, words: str) -> None:
        """Record a call without an answer, or answered only by a proxy before the
        service.
        """
        if not self.waits:
            return
        self._begin_trouble()
        self._failures += 1
        self._trouble = f"the service is away ({words})"
        if (
            self._failures >= SUSPECT
            and self._probes
            and self._watch is None
            and not self._is_over
        ):
            self._changed.clear()
            self._watch = asyncio.create_task(self._come_back())

    def on_throttled(self, retry_after_s: float | None) -> None:
        """Record that the service has too many calls: all wait, and fewer go at
        once.
        """
        if not self.waits:
            return
        pause = 0.0
        if (
            self.ready_in_s <= 0
        ):  # calls in flight at one moment are throttled together: once counts
            self._strain = min(MOST_STRAIN, self._strain + 1)
            pause = self._luck() * LEAST_PAUSE_S * 2.0**self._strain
        self.hold_back(max(pause, retry_after_s or 0.0))
        self._rates[-1].on_throttled(self.ready_in_s)

    def hold_back(self, seconds: float) -> None:
        """Let all calls wait, and fewer go at once afterwards: this process or another
        of the account was throttled.
        """
        if not self.waits:
            return
        self._begin_trouble()
        self._trouble = TOO_MANY
        if self.ready_in_s <= 0:
            self._size = max(1, self._size // 2)
        self._not_before = max(self._not_before, self._clock() + seconds)
        if self.ready_in_s > SHORT_S:
            self._notify(TOO_MANY, self.ready_in_s, is_throttled=True)

    # inside

    def _begin_trouble(self) -> None:
        if self._trouble_since is None:
            self._trouble_since = self._clock()

    def _ends_at(self) -> float:
        """The time at which patience is used up."""
        since = self._clock() if self._trouble_since is None else self._trouble_since
        return min(since + self._patience_s, self._clock() + self._left_s())

    def _left_s(self) -> float:
        return (
            (self._done_by[0] - self._done_by[1]()).total_seconds()
            if self._done_by
            else math.inf
        )

    def _is_late(self) -> bool:
        return self._left_s() <= 0

    def _require_patience(self) -> None:
        now, ends = self._clock(), self._ends_at()
        if (
            self._is_over
            or self._is_late()
            or now >= ends
            or now + self.ready_in_s > ends
        ):
            self._is_over = True
            raise self._away()

    def _away(self) -> ServiceAway:
        waited = (
            self._clock() - self._trouble_since
            if self._trouble_since is not None
            else 0.0
        )
        pause = self.ready_in_s
        why = self.blocked_by or "the time for it is over"
        for_s = f" for {_span(waited)}" if waited >= 1 else ""
        return ServiceAway(
            f"{why}{for_s}; nothing was done",
            retry_after_s=pause if pause > 0 else None,
        )

    async def _ready_soon(self) -> None:
        ends = self._clock() + SHORT_S
        while self.blocked_by or self._is_late():
            left = ends - self._clock()
            if self._is_away or self.is_over or left <= 0 or self.ready_in_s > left:
                raise self._away()
            await self._wait(min(left, self.ready_in_s or left))

    async def _wait(self, seconds: float | None) -> None:
        """Wait until something changes, `seconds` at most."""
        if self._watch is None:
            await self._sleep(max(seconds or 0.0, LEAST_WAIT_S))
            return
        waiting = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait(
                {waiting},
                timeout=max(seconds, LEAST_WAIT_S) if seconds is not None else None,
            )
        finally:
            waiting.cancel()

    async def _enter(self, *, holds_lease: bool) -> None:
        while True:
            await (
                self.wait_ready()
                if _may_wait.get() and not holds_lease
                else self._ready_soon()
            )
            await self._queue_for_place(self._queues[not holds_lease])
            if not self.blocked_by:
                return
            self._give_up()

    async def _queue_for_place(self, queue: _Queue) -> None:
        if (
            self._in_flight < self._size
            and not any(self._queues)
            and self._is_permitted()
        ):
            self._in_flight += 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self._give_up()
            raise

    def _give_up(self) -> None:
        """Free a place that was taken without a call."""
        self._rates[-1].put_back()
        self._leave()

    def _leave(self) -> None:
        self._in_flight -= 1
        self.admit()

    def _is_permitted(self) -> bool:
        """Take a permit; without one, waiting calls are admitted once there is a
        permit.
        """
        if not (wait_s := self._rates[-1].take()):
            return True
        if wait_s < float("inf") and self._next_permit is None:
            self._next_permit = asyncio.get_running_loop().call_later(
                max(wait_s, LEAST_WAIT_S), self._permit_came
            )
        return False

    def _permit_came(self) -> None:
        self._next_permit = None
        self.admit()

    async def _come_back(self) -> None:
        """Probe until the service answers or patience is used up."""
        try:
            while not await self._probes[-1]():
                self._is_away = True
                now, ends = self._clock(), self._ends_at()
                if now >= ends:
                    self._is_over = True
                    return
                away = now - (self._trouble_since or now)
                pause = min(MOST_PROBE_S, max(LEAST_PROBE_S, away / 4)) * (
                    0.75 + self._luck() / 2
                )
                self._notify(
                    self.blocked_by,
                    pause := min(pause, ends - now),
                    is_throttled=self._is_throttled,
                )
                await self._sleep(pause)
            self._recover()
        finally:  # a probe that fails, or whose client left, must not leave the breaker open without a probe
            self._watch, self._is_away = None, self._is_away and self._is_over
            self._changed.set()

    def _recover(self) -> None:
        self._ever_succeeded, self._failures, self._trouble_since = True, 0, None
        if self._is_away:
            self._is_away = False
            self._size = min(2, self._limit.now)
        self._notify_back()

    def _notify_back(self) -> None:
        if self._has_notified:
            self._has_notified = False
            self.listener(BACK)

    def _notify(self, why: str, next_try_s: float, *, is_throttled: bool) -> None:
        self._has_notified = True
        for_s = self._clock() - (self._trouble_since or self._clock())
        self.listener(BreakerNews(why, for_s, next_try_s, is_throttled))


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
        is_usual = (
            type(loop).time is asyncio.BaseEventLoop.time
        )  # it is read some forty times an order
        breakers[address] = CircuitBreaker(
            clock=time.monotonic if is_usual else None, **made_with
        )
    breakers[address].renew()
    return breakers[address]
