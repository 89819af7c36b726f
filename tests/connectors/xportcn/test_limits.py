"""The token bucket, on a clock that the test moves."""

from __future__ import annotations

import asyncio

from connectors.xportcn.limits import TokenBucket


class Clock:
    """Sleeping moves it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.naps: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.naps.append(round(seconds, 6))
        self.now += seconds


async def test_no_limit_never_waits() -> None:
    """Zero calls per second stand for no limit."""
    clock = Clock()
    bucket = TokenBucket(0, clock=clock, sleep=clock.sleep)
    for _ in range(1000):
        await bucket.take()
    assert clock.naps == []


async def test_a_second_s_worth_comes_at_once_and_the_rest_in_turn() -> None:
    """At 10 a second the first ten go through, the next ones every tenth of a second."""
    clock = Clock()
    bucket = TokenBucket(10, clock=clock, sleep=clock.sleep)
    for _ in range(13):
        await bucket.take()
    assert clock.naps == [0.1, 0.1, 0.1]


async def test_slow_rates_let_the_first_through() -> None:
    """At one call in two seconds the first does not wait and the second waits two."""
    clock = Clock()
    bucket = TokenBucket(0.5, clock=clock, sleep=clock.sleep)
    await bucket.take()
    await bucket.take()
    assert clock.naps == [2.0]


async def test_idle_time_is_not_saved_beyond_a_second() -> None:
    """After an hour without calls there is one second's worth, not an hour's."""
    clock = Clock()
    bucket = TokenBucket(2, clock=clock, sleep=clock.sleep)
    clock.now += 3600
    for _ in range(3):
        await bucket.take()
    assert clock.naps == [0.5]


async def test_waiting_calls_keep_their_order() -> None:
    """Turns are given when asked for: nobody overtakes."""
    clock = Clock()
    wakes: list[float] = []

    async def sleep(seconds: float) -> None:
        wakes.append(round(seconds, 6))
        await asyncio.sleep(0)

    bucket = TokenBucket(1, clock=clock, sleep=sleep)
    await asyncio.gather(*(bucket.take() for _ in range(4)))
    assert wakes == [1.0, 2.0, 3.0]
