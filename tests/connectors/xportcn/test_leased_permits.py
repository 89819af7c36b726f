"""Processes whose gates are fed from one pace, on a loop whose time jumps: together
they keep the account's rate.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from connectors.xportcn.breaker import CircuitBreaker
from connectors.xportcn.leased_permits import leasing
from domain.fair_pace import (
    Lease,
    Pace,
    RateClient,
    held,
    is_limited,
    leased,
    left,
    opening,
)
from tests.connectors.xportcn.test_breaker import now, played

LATENCY_S = 0.2


@dataclass
class RateServer:
    """The pace of a ledger, kept in memory; `away_until` it raises. What was written is
    counted.
    """

    pace: Pace | None = None
    away_until: float = 0.0
    written: int = 0
    polled: int = 0

    def lease(self, name: str, client: RateClient) -> Lease:
        self.pace, lease = leased(self._at_hand(client.limit), name, client, now())
        return lease

    def leave(self, name: str, permits: float) -> None:
        self.pace = left(self._at_hand(), name, permits, now())

    def hold(self, pause_s: float) -> None:
        self.pace = held(self._at_hand(), pause_s, now())

    def poll(self) -> tuple[float, bool]:
        self.polled += 1
        return (
            (self.pace.pause(now()), is_limited(self.pace, now()))
            if self.pace
            else (0.0, False)
        )

    def _at_hand(self, limit: float = 0.0) -> Pace:
        if now() < self.away_until:
            raise ConnectionError("the database is away")
        self.written += 1
        return self.pace or opening(now(), limit)


@dataclass
class Service:
    """Answers everything after a while, and keeps when each call of whom arrived."""

    arrived: list[tuple[float, str]] = field(default_factory=list)
    throttles: str = ""
    """Whom alone it tells once that there are too many calls, and to wait five
    seconds.
    """

    async def call(
        self,
        breaker: CircuitBreaker,
        who: str,
        *,
        latency_s: float = LATENCY_S,
        holds_lease: bool = False,
    ) -> bool:
        async with breaker.passing(holds_lease=holds_lease):
            self.arrived.append((now(), who))
            if who == self.throttles:
                self.throttles = ""
                breaker.on_throttled(5.0)
                return False
            await asyncio.sleep(latency_s)
        breaker.on_success()
        return True

    def count(self, since: float, until: float) -> Counter[str]:
        return Counter(who for at, who in self.arrived if since <= at < until)


@dataclass
class Account:
    """Processes of one account, each with a gate of its own."""

    server: RateServer
    service: Service
    stack: AsyncExitStack
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def process(
        self, name: str, *, limit: float = 50, at_once: int = 16
    ) -> CircuitBreaker:
        breaker = CircuitBreaker(
            at_once=at_once, patience_s=600, luck=random.Random(7).random
        )
        breaker.register(_probe, at_once=at_once)
        await self.stack.enter_async_context(
            leasing(self.server, breaker, client=name, limit=limit)
        )
        return breaker

    async def busy(self, name: str, callers: int = 32, **options: Any) -> None:
        """A process with so many coroutines that call without a rest."""
        breaker = await self.process(name, **options)

        async def call() -> None:
            while True:
                await self.service.call(breaker, name)

        self.tasks += [asyncio.create_task(call()) for _ in range(callers)]


async def _probe() -> bool:
    return True


@asynccontextmanager
async def account() -> AsyncIterator[Account]:
    async with AsyncExitStack() as stack:
        made = Account(RateServer(), Service(), stack)
        try:
            yield made
        finally:
            for task in made.tasks:
                task.cancel()


def play(story: Callable[[Account], Awaitable[None]]) -> Account:
    """What has happened in the end."""

    async def whole() -> Account:
        async with account() as made:
            began = now()
            await story(made)
            made.service.arrived = [
                (at - began, who) for at, who in made.service.arrived
            ]
        return made

    return played(whole())


def test_four_processes_together_keep_the_rate_and_use_it() -> None:
    """Fifty a second over a minute, within five percent, and at least nine tenths of
    it; no second has many more.
    """

    async def story(made: Account) -> None:
        for number in range(4):
            await made.busy(f"run-{number}")
        await asyncio.sleep(61)

    service = play(story).service
    assert 0.9 * 3000 <= service.count(1, 61).total() <= 1.05 * 3000
    assert service.count(0, 60).total() <= 1.05 * 3000
    assert (
        max(service.count(at / 10, at / 10 + 1).total() for at in range(10, 600)) <= 65
    )


def test_a_manual_run_gets_half_beside_that_of_a_night() -> None:
    """And the night gets all of it again when the manual run has ended, within a
    moment.
    """

    async def story(made: Account) -> None:
        await made.busy("night")
        await asyncio.sleep(10)
        async with AsyncExitStack() as manual:
            beside = Account(made.server, made.service, manual)
            await beside.busy("manual")
            await asyncio.sleep(20)
            for task in beside.tasks:
                task.cancel()
        await asyncio.sleep(10)

    service = play(story).service
    assert service.count(11, 30)["manual"] == pytest.approx(25 * 19, rel=0.1)
    assert service.count(31, 40).total() == pytest.approx(50 * 9, rel=0.05)


def test_who_needs_little_does_not_wait_for_long() -> None:
    """Five calls a second beside two that take whatever there is: each leaves within
    two periods.
    """

    async def story(made: Account) -> None:
        for name in ("first", "second"):
            await made.busy(name)
        breaker = await made.process("little")
        await asyncio.sleep(5)
        for _ in range(50):
            asked = now()
            await made.service.call(breaker, "little", latency_s=0.01)
            waits.append(now() - asked)
            await asyncio.sleep(0.2)

    waits: list[float] = []
    play(story)
    assert sorted(waits)[45] <= 0.3
    assert max(waits) <= 0.6


def test_all_stop_within_a_second_when_one_is_throttled() -> None:
    """With `Retry-After` of five seconds; the others hear of it from the ledger
    alone.
    """

    async def story(made: Account) -> None:
        for number in range(4):
            await made.busy(f"run-{number}")
        await asyncio.sleep(10)
        made.service.throttles = "run-0"
        await asyncio.sleep(20)

    service = play(story).service
    assert service.count(10.5, 11).total() <= 0.5 * 50
    assert service.count(11, 14.9).total() == 0
    assert service.count(16, 30).total() >= 0.9 * 50 * 14


def test_who_has_no_limit_stops_too() -> None:
    """Nobody has one, so nothing is leased; a look twice a second is enough, and only
    the pause is written.
    """

    async def story(made: Account) -> None:
        for number in range(2):
            await made.busy(f"run-{number}", limit=0)
        await asyncio.sleep(5)
        (await made.process("other", limit=0)).on_throttled(5.0)
        await asyncio.sleep(10)

    made = play(story)
    assert (made.service.count(6, 9.9).total(), made.server.written) == (0, 1)
    assert made.service.count(0, 5).total() > 5 * 100
    assert made.server.polled <= 2 * 2 * 15


def test_a_process_without_a_limit_keeps_to_that_of_others() -> None:
    """As long as they call, and from half a second after they begin."""

    async def story(made: Account) -> None:
        await made.busy("unlimited", limit=0)
        await asyncio.sleep(5)
        async with AsyncExitStack() as limited:
            beside = Account(made.server, made.service, limited)
            await beside.busy("limited", limit=20)
            await asyncio.sleep(10)
            for task in beside.tasks:
                task.cancel()
        await asyncio.sleep(5)

    service = play(story).service
    assert service.count(6, 15).total() == pytest.approx(20 * 9, rel=0.1)
    assert service.count(6, 15)["limited"] == pytest.approx(10 * 9, rel=0.1)
    assert service.count(16, 20).total() >= 300


def test_a_ledger_that_is_away_stops_nobody() -> None:
    """Each goes on at the share that it had, so together they keep the rate."""

    async def story(made: Account) -> None:
        for number in range(4):
            await made.busy(f"run-{number}")
        await asyncio.sleep(10)
        made.server.away_until = now() + 20
        await asyncio.sleep(30)

    service = play(story).service
    assert 0.85 * 50 * 18 <= service.count(12, 30).total() <= 1.05 * 50 * 18
    assert service.count(0, 40).total() <= 1.05 * 50 * 40


def test_who_stands_still_for_a_minute_uses_no_old_share() -> None:
    """What it had when it was stopped has long been given to others."""

    async def story(made: Account) -> None:
        breaker = await made.process("stopped")
        await made.service.call(breaker, "stopped")
        permits: Any = breaker._rates[-1]
        assert permits.permits > 1
        clock = breaker._clock
        breaker._clock = permits._clock = lambda: clock() + 60
        assert permits.take() == float("inf")

    play(story)


def test_a_call_that_holds_a_lease_gets_the_next_permit() -> None:
    """At one call a second thirty reads wait when a payment comes: it leaves next."""

    async def story(made: Account) -> None:
        breaker = await made.process("run", limit=1)
        reads = [
            asyncio.create_task(made.service.call(breaker, f"read-{number}"))
            for number in range(30)
        ]
        await asyncio.sleep(3.5)
        await made.service.call(breaker, "pay", holds_lease=True)
        made.tasks += reads  # type: ignore[arg-type]

    arrived = [who for _, who in play(story).service.arrived]
    assert arrived.index("pay") <= 4


def test_no_more_effects_are_claimed_at_once_than_can_leave_soon() -> None:
    """At a call in ten seconds one place; at fifty a second all sixteen."""

    async def story(made: Account) -> None:
        slow, fast = (
            await made.process("slow", limit=0.1),
            await made.process("fast", limit=50),
        )
        assert (slow.size, fast.size) == (1, 8)

    play(story)


def test_who_makes_no_calls_writes_nothing_and_who_has_ended_has_nothing_left() -> None:
    """A process that opened the ledger and waits; and one that made three calls, then
    rested.
    """

    async def story(made: Account) -> None:
        await made.process("rests")
        await asyncio.sleep(60)
        assert made.server.written == 0
        breaker = await made.process("calls")
        for _ in range(3):
            await made.service.call(breaker, "calls")
        await asyncio.sleep(5)
        written = made.server.written
        await asyncio.sleep(600)
        assert made.server.written == written <= 15
        assert made.server.pace is not None
        assert made.server.pace.clients == {}
        assert made.server.pace.permits >= 45

    play(story)


@pytest.mark.parametrize(
    ("limit", "seconds", "most_writes"), [(0.1, 300, 200), (5000, 5, 30)]
)
def test_very_slow_and_very_fast(limit: float, seconds: int, most_writes: int) -> None:
    """A call in ten seconds, and as many as five thousand: kept, used, and the ledger
    is asked a few times a second.
    """

    async def story(made: Account) -> None:
        breaker = await made.process("run", limit=limit, at_once=64)

        async def call() -> None:
            while True:
                await made.service.call(breaker, "run", latency_s=0.01)

        made.tasks += [asyncio.create_task(call()) for _ in range(128)]
        await asyncio.sleep(seconds)

    made = play(story)
    count = made.service.count(1, seconds).total()
    assert 0.85 * limit * (seconds - 1) <= count <= 1.05 * limit * seconds + 1
    assert made.server.written <= most_writes


def test_a_ledger_that_blocks_for_a_while_holds_no_call_up_for_long() -> None:
    """On real threads: the second lease takes two seconds; until then calls go on at
    the share that was last.
    """

    class Slow(RateServer):
        def lease(self, name: str, client: RateClient) -> Lease:
            self.written += 1
            time.sleep(2 if self.written == 2 else 0)
            return Lease(share=50, again_s=0.25, permits=12)

        def leave(self, name: str, permits: float) -> None:
            """Nothing to do."""

    async def longest() -> float:
        breaker, waits = CircuitBreaker(at_once=16, patience_s=600), list[float]()
        async with leasing(Slow(), breaker, client="a", limit=50):
            began = now()
            while now() - began < 1.3:
                asked = now()
                async with breaker.passing(holds_lease=False):
                    waits.append(now() - asked)
                await asyncio.sleep(0.02)
        return max(waits)

    assert asyncio.run(longest()) < 1
