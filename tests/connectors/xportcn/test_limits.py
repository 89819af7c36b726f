"""The token bucket of a process that shares with nobody, on a clock that the test
moves.
"""

from __future__ import annotations

import math

import pytest

from connectors.xportcn.limits import TokenBucket


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def waits(bucket: TokenBucket, calls: int) -> list[float]:
    """What each of these calls is told at one moment."""
    return [round(bucket.take(), 6) for _ in range(calls)]


def test_no_limit_never_waits() -> None:
    """Zero calls per second stand for no limit."""
    bucket = TokenBucket(0, clock=Clock())
    assert waits(bucket, 1000) == [0] * 1000
    assert bucket.per_second == math.inf


def test_a_second_s_worth_comes_at_once_and_the_rest_in_turn() -> None:
    """At 10 a second the first ten go through, the next one a tenth of a second
    later.
    """
    clock = Clock()
    bucket = TokenBucket(10, clock=clock)
    assert waits(bucket, 12) == [0] * 10 + [0.1, 0.1]
    clock.now += 0.1
    assert waits(bucket, 2) == [0, 0.1]


def test_slow_rates_let_the_first_through() -> None:
    """At one call in two seconds the first does not wait and the second waits two."""
    assert waits(TokenBucket(0.5, clock=Clock()), 2) == [0, 2]


def test_idle_time_is_not_saved_beyond_a_second() -> None:
    """After an hour without calls there is one second's worth, not an hour's."""
    clock = Clock()
    bucket = TokenBucket(2, clock=clock)
    clock.now += 3600
    assert waits(bucket, 3) == [0, 0, 0.5]


@pytest.mark.parametrize("rate", [0.3, 7.0, 5000.0])
def test_who_waits_as_long_as_it_was_told_gets_its_turn(rate: float) -> None:
    """Rounding makes nobody wait again."""
    clock = Clock()
    bucket = TokenBucket(rate, clock=clock)
    for _ in range(6000):
        if wait_s := bucket.take():
            clock.now += wait_s
            assert bucket.take() == 0


def test_a_call_that_was_not_made_costs_nothing() -> None:
    """Its permit is there for the next one."""
    bucket = TokenBucket(1, clock=Clock())
    assert waits(bucket, 2) == [0, 1]
    bucket.put_back()
    assert waits(bucket, 1) == [0]
