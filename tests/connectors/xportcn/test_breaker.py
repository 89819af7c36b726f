"""The gate, on a loop whose time jumps: how many calls go at once, and who waits for
what.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from connectors.xportcn.breaker import (
    BreakerNews,
    CircuitBreaker,
    breaker_of,
    fail_fast,
)
from connectors.xportcn.errors import ServiceAway
from tests.clock import MovableClock
from tests.simulation.loop import VirtualLoop

T = TypeVar("T")
CALL_S = 0.02


def played(work: Awaitable[T]) -> T:
    """What comes of it, on a loop of its own."""
    loop = VirtualLoop(lambda: 0.0)
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(_whole(work))
    finally:
        asyncio.set_event_loop(None)
        loop.close()


async def _whole(work: Awaitable[T]) -> T:
    return await work


def now() -> float:
    return asyncio.get_running_loop().time()


@dataclass
class Service:
    """A service behind a gate. `answers` says what a call gets: good, missed, or asked
    to wait (seconds or None).
    """

    breaker: CircuitBreaker
    answers: Callable[[float], str] = lambda _at: "good"
    retry_after_s: float | None = None
    is_there: bool = False
    asked: int = 0
    probed: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    news: list[BreakerNews] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.breaker.register(self.probe, at_once=self.breaker._at_once)
        self.breaker.listener = self.news.append

    async def probe(self) -> bool:
        self.probed += 1
        return self.is_there or self.answers(now()) != "missed"

    async def call(self, *, holds_lease: bool = False) -> str:
        """One call, as the client makes it."""
        async with self.breaker.passing(holds_lease=holds_lease):
            self.asked += 1
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            try:
                await asyncio.sleep(CALL_S)
            finally:
                self.in_flight -= 1
            answer = self.answers(now())
            if answer == "good":
                self.breaker.on_success()
            elif answer == "missed":
                self.breaker.on_failure("connection refused")
            else:
                self.breaker.on_throttled(self.retry_after_s)
            return answer

    async def read(self) -> float:
        """Call until it is answered; when that was."""
        while await self.call() != "good":
            pass
        return now()


def breaker(*, at_once: int = 4, patience_s: float = 600) -> CircuitBreaker:
    return CircuitBreaker(
        at_once=at_once, patience_s=patience_s, luck=random.Random(7).random
    )


def away_until(seconds: float) -> Callable[[float], str]:
    """Not there for so many seconds from now."""
    back = now() + seconds
    return lambda at: "missed" if at < back else "good"


def test_no_more_calls_are_in_flight_than_allowed() -> None:
    """Fifty calls through four places: never more than four at once, and none is
    lost.
    """

    async def play() -> tuple[int, int]:
        service = Service(breaker(at_once=4))
        await asyncio.gather(*(service.call() for _ in range(50)))
        return service.asked, service.most_in_flight

    assert played(play()) == (50, 4)


def test_a_call_that_is_cancelled_gives_its_place_back() -> None:
    """In the queue, in the very moment it gets a place, and in flight."""

    async def play() -> tuple[int, int]:
        service = Service(breaker(at_once=2))
        luck = random.Random(3)
        calls = [asyncio.create_task(service.call()) for _ in range(60)]
        for call in luck.sample(calls, 40):
            await asyncio.sleep(luck.choice((0, 0, CALL_S / 2, CALL_S)))
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        return service.breaker._in_flight, len(service.breaker._queue)

    assert played(play()) == (0, 0)


def test_while_the_service_is_away_one_probe_asks_and_all_others_wait() -> None:
    """Reads outlast five minutes; the probe asks ever more seldom; then few calls go
    first.
    """

    async def play() -> tuple[Service, list[float]]:
        started_at = now()
        service = Service(breaker(at_once=16))
        service.answers = away_until(300)
        ends = await asyncio.gather(*(service.read() for _ in range(40)))
        return service, [end - started_at for end in ends]

    service, ends = played(play())
    assert min(ends) > 300
    assert max(ends) < 400  # a quarter of the outage later at most
    assert service.asked <= 40 + 16
    assert 10 < service.probed < 30
    assert service.news[0].why == "the service is away (connection refused)"
    assert service.news[-1] == BreakerNews("")
    pauses = [item.next_try_s for item in service.news[:-1]]
    assert pauses[0] < 1.5
    assert max(pauses) > 40


def test_a_call_that_fails_alone_holds_nobody_up() -> None:
    """The probe finds the service there, so the failing call is that call's own
    trouble.
    """

    async def play() -> tuple[list[str], list[BreakerNews], float]:
        started_at = now()
        service = Service(breaker(), is_there=True)
        answers = iter(["missed"] * 20)
        service.answers = lambda _at: next(answers, "good")
        results = [await service.call() for _ in range(24)]
        return results, service.news, now() - started_at

    results, news, seconds = played(play())
    assert results == ["missed"] * 20 + ["good"] * 4
    assert news == []
    assert seconds < 1


def test_patience_ends_and_a_new_run_has_its_own() -> None:
    """Ten seconds since the last good answer; after that nobody waits, until somebody
    begins anew.
    """

    async def play() -> tuple[float, str, bool, str]:
        started_at = now()
        service = Service(breaker(patience_s=10))
        service.answers = away_until(3600)
        with pytest.raises(ServiceAway) as over:
            await service.read()
        waited = now() - started_at
        with pytest.raises(ServiceAway):
            await service.breaker.wait_ready()
        was_over = service.breaker.is_over
        service.answers = lambda _at: "good"
        service.breaker.renew()
        return waited, str(over.value), was_over, await service.call()

    waited, message, was_over, then = played(play())
    assert 10 <= waited < 11
    assert (
        message == "the service is away (connection refused) for 10 s; nothing was done"
    )
    assert was_over
    assert then == "good"


def test_who_holds_a_lease_or_must_not_wait_is_turned_away() -> None:
    """Effects, and reads of a task that is tried again: `ServiceAway` at once, and
    nothing is asked.
    """

    async def play() -> int:
        service = Service(breaker())
        service.answers = away_until(100)
        waiting = asyncio.create_task(service.read())
        await asyncio.sleep(5)
        query = service.asked
        started_at = now()
        with pytest.raises(ServiceAway, match="the service is away"):
            await service.call(holds_lease=True)
        with fail_fast(), pytest.raises(ServiceAway):
            await service.call()
        assert now() == started_at
        await waiting
        return service.asked - query

    assert played(play()) == 1


def test_being_throttled_slows_all_down_together() -> None:
    """After one call was asked to wait seven seconds, nobody calls for seven
    seconds.
    """

    async def play() -> tuple[int, list[float], list[str]]:
        started_at = now()
        service = Service(breaker(at_once=4), retry_after_s=7)
        service.answers = lambda at: "throttled" if at < started_at + 0.1 else "good"
        ends = await asyncio.gather(*(service.read() for _ in range(8)))
        return (
            service.asked,
            [round(end - started_at) for end in ends],
            [item.why for item in service.news],
        )

    query, ends, news = played(play())
    assert query == 8 + 4
    assert ends == [7] * 8
    assert news == ["the service has too many calls"] * 4 + [""]


def test_patience_that_ends_in_a_storm_says_so() -> None:
    """Ten seconds of nothing but 429: not *away*, and afterwards the same is said."""

    async def play() -> tuple[str, str]:
        service = Service(breaker(patience_s=10))
        service.answers = lambda _at: "throttled"
        with pytest.raises(ServiceAway) as over:
            await service.read()
        await asyncio.sleep(60)
        return over.value.message, service.breaker.blocked_by

    message, later = played(play())
    assert re.fullmatch(
        r"the service has too many calls; the next in \d+ s for \d+ s; nothing was done",
        message,
    )
    assert later == "the service has too many calls"


def test_a_wait_longer_than_patience_ends_it_at_once() -> None:
    """Asked to come back in two hours, a run with an hour of patience ends now, and
    knows when to come back.
    """

    async def play() -> tuple[float, float | None]:
        started_at = now()
        service = Service(breaker(patience_s=3600), retry_after_s=7200)
        service.answers = lambda _at: "throttled"
        with pytest.raises(ServiceAway) as away:
            await service.read()
        return now() - started_at, away.value.retry_after_s

    seconds, retry_after_s = played(play())
    assert seconds < 1
    assert retry_after_s == 7200


def test_the_end_of_the_time_allowed_ends_patience() -> None:
    """A batch that must be done in 20 seconds is not waited for an hour."""

    async def play() -> float:
        started_at = now()
        service = Service(breaker(patience_s=3600))
        service.answers = away_until(3600)
        service.breaker.until(at(20), at)
        with pytest.raises(ServiceAway):
            await service.read()
        return now() - started_at

    def at(s: float = 0) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=now() + s)

    assert 20 <= played(play()) < 21


def test_the_time_allowed_goes_on_while_the_machine_sleeps() -> None:
    """The clock of the loop stands still then: work would go on for as long in the
    morning.
    """
    clock = MovableClock()
    allowed = CircuitBreaker(at_once=1, patience_s=3600, clock=lambda: 0.0)
    allowed.until(clock() + timedelta(hours=7), clock)
    assert not allowed.is_over
    clock.advance(7 * 3600)
    assert allowed.is_over


@pytest.mark.parametrize("share", [0.3, 0.9, 1.0])
@pytest.mark.parametrize("retry_after_s", [None, 2.0])
def test_a_throttled_minute_costs_few_calls(
    share: float, retry_after_s: float | None
) -> None:
    """400 reads, so many of them throttled for a minute: never three times as many
    calls, and all are answered.
    """

    async def play() -> tuple[int, float]:
        started_at = now()
        luck = random.Random(1)
        service = Service(
            breaker(at_once=16, patience_s=600), retry_after_s=retry_after_s
        )
        service.answers = lambda at: (
            "throttled" if at < started_at + 60 and luck.random() < share else "good"
        )
        await asyncio.gather(*(service.read() for _ in range(400)))
        return service.asked, now() - started_at

    query, seconds = played(play())
    assert query < 3 * 400
    assert seconds < 150


def test_each_throttled_moment_halves_the_calls_at_once_and_a_minute_adds_one() -> None:
    async def play() -> list[int]:
        throttled = breaker(at_once=16)
        sizes = []
        for _ in range(2):
            for _ in range(3):  # answers of one moment count once
                throttled.on_throttled(5.0)
            sizes.append(throttled.size)
            await asyncio.sleep(5)
        for seconds in (50, 10, 30, 30, 3600, 0):
            await asyncio.sleep(seconds)
            throttled.on_success()
            sizes.append(throttled.size)
        return sizes

    assert played(play()) == [8, 4, 4, 5, 5, 6, 7, 7]


def test_who_holds_a_lease_gets_a_place_before_those_who_read() -> None:
    """Fifty reads wait for four places when a payment comes: it is the next."""

    async def play() -> list[str]:
        service = Service(breaker(at_once=4))
        ended = list[str]()

        async def call(name: str, *, holds_lease: bool) -> None:
            await service.call(holds_lease=holds_lease)
            ended.append(name)

        async with asyncio.TaskGroup() as group:
            for _ in range(50):
                group.create_task(call("read", holds_lease=False))
            await asyncio.sleep(CALL_S / 2)
            group.create_task(call("pay", holds_lease=True))
        return ended

    assert played(play()).index("pay") == 4


def test_a_process_has_one_gate_for_an_address() -> None:
    """Two clients of one address share what is known of it; another address is another
    matter.
    """

    async def play() -> tuple[bool, bool]:
        first = breaker_of("http://a", at_once=2)
        return first is breaker_of("http://a", at_once=2), first is breaker_of(
            "http://b", at_once=2
        )

    assert played(play()) == (True, False)


def test_a_client_that_leaves_while_the_service_is_away_shuts_nobody_out_who_comes_later() -> (
    None
):
    """Its probe goes with it, so the next one finds out anew."""

    async def play() -> str:
        first = Service(breaker(patience_s=60))
        first.answers = away_until(3600)
        waiting = [asyncio.create_task(first.read()) for _ in range(8)]
        await asyncio.sleep(5)
        for item in waiting:
            item.cancel()
        first.breaker.unregister(first.probe)
        await asyncio.sleep(1)
        return await Service(first.breaker).call()

    assert played(play()) == "good"


def test_whoever_waits_for_a_service_that_is_away_sleeps_until_something_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also when it had throttled before: that this is over is no reason to look again
    and again.
    """
    waits: list[float | None] = []
    wait = CircuitBreaker._wait

    async def counted(of: CircuitBreaker, seconds: float | None) -> None:
        waits.append(seconds)
        await wait(of, seconds)

    monkeypatch.setattr(CircuitBreaker, "_wait", counted)

    async def play() -> None:
        service = Service(breaker(), retry_after_s=1.0)
        service.breaker.on_throttled(1.0)
        await asyncio.sleep(5)
        service.answers = away_until(20)
        await asyncio.gather(*(service.read() for _ in range(8)))

    played(play())
    assert len(waits) < 50
