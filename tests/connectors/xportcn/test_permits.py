"""Processes whose breakers take blocks from one bucket, on a loop whose time jumps:
together they keep the account's rate.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from connectors.xportcn.breaker import CircuitBreaker
from connectors.xportcn.permits import Permits
from domain.pace import Block, Bucket, full_bucket, paused_bucket, take_block
from tests.connectors.xportcn.test_breaker import now, played

LATENCY_S = 0.2


@dataclass
class BucketServer:
    """The bucket of a ledger, kept in memory; until `away_until` it raises. Its writes
    are counted.
    """

    bucket: Bucket | None = None
    away_until: float = 0.0
    writes: int = 0

    def take_block(self, wanted: int, per_second: float) -> Block:
        bucket = self._read_bucket(per_second)
        self.bucket, block = take_block(bucket, wanted, per_second, now())
        return block

    def pause(self, pause_s: float, per_second: float) -> None:
        bucket = self._read_bucket(per_second)
        self.bucket = paused_bucket(bucket, pause_s, now())

    def _read_bucket(self, per_second: float) -> Bucket:
        if now() < self.away_until:
            raise ConnectionError("the database is away")
        self.writes += 1
        return self.bucket or full_bucket(per_second, now())


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
    """Processes of one account, each with a breaker of its own."""

    server: BucketServer
    service: Service
    stack: AsyncExitStack
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def process(
        self, name: str, *, limit: float = 50, at_once: int = 16
    ) -> CircuitBreaker:
        luck = random.Random(name).random
        breaker = CircuitBreaker(at_once=at_once, patience_s=600, luck=luck)
        breaker.register(_probe, at_once=at_once)
        await self.stack.enter_async_context(
            breaker.at_rate(Permits(limit, self.server, clock=now))
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
        account = Account(BucketServer(), Service(), stack)
        try:
            yield account
        finally:
            for task in account.tasks:
                task.cancel()


def play(story: Callable[[Account], Awaitable[None]]) -> Account:
    """What has happened in the end."""

    async def whole() -> Account:
        async with account() as built:
            began = now()
            await story(built)
            built.service.arrived = [
                (at - began, who) for at, who in built.service.arrived
            ]
        return built

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
            calls = now()
            await made.service.call(breaker, "little", latency_s=0.01)
            waits.append(now() - calls)
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
        slow = await made.process("slow", limit=0.1)
        fast = await made.process("fast", limit=50)
        assert (slow.size, fast.size) == (1, 16)

    play(story)


@pytest.mark.parametrize(
    ("limit", "seconds", "most_writes"), [(0.1, 300, 200), (5000, 5, 60)]
)
def test_very_slow_and_very_fast(limit: float, seconds: int, most_writes: int) -> None:
    """A call in ten seconds, and as many as five thousand: kept, used, and the ledger
    is asked some ten times a second.
    """

    async def story(made: Account) -> None:
        breaker = await made.process("run", limit=limit, at_once=64)

        async def call() -> None:
            while True:
                await made.service.call(breaker, "run", latency_s=0.01)

        made.tasks += [asyncio.create_task(call()) for _ in range(128)]
        await asyncio.sleep(seconds)

    account = play(story)
    count = account.service.count(1, seconds).total()
    assert 0.85 * limit * (seconds - 1) <= count <= 1.05 * limit * seconds + 1
    assert account.server.writes <= most_writes


def test_a_ledger_that_is_away_leaves_each_process_the_rate_by_itself() -> None:
    async def story(made: Account) -> None:
        await made.busy("run")
        await asyncio.sleep(10)
        made.server.away_until = now() + 20
        await asyncio.sleep(30)

    service = play(story).service
    assert service.count(12, 30).total() == pytest.approx(50 * 18, rel=0.1)
    assert service.count(0, 40).total() <= 1.05 * 50 * 41


def test_permits_of_a_process_that_stood_still_are_dropped() -> None:
    clock = MovableSeconds()
    permits = Permits(50, clock=clock)
    asyncio.run(permits.take_block(10))
    assert permits.take()
    clock.seconds += 60
    assert not permits.take()


def test_a_process_without_a_limit_needs_no_permit() -> None:
    permits = Permits(0)
    assert all(permits.take() for _ in range(1000))


def test_a_call_that_was_not_made_costs_no_permit() -> None:
    permits = Permits(1)
    asyncio.run(permits.take_block(1))
    assert permits.take()
    permits.put_back()
    assert permits.take()
    assert not permits.take()


def test_a_process_that_makes_no_calls_writes_nothing() -> None:
    async def story(made: Account) -> None:
        breaker = await made.process("run")
        await asyncio.sleep(60)
        assert made.server.writes == 0
        for _ in range(3):
            await made.service.call(breaker, "run")
        writes = made.server.writes
        await asyncio.sleep(600)
        assert made.server.writes == writes <= 3

    play(story)


class MovableSeconds:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds
