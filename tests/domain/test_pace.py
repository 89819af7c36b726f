"""The account's token bucket, as a pure function of its state and the time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.pace import Block, Bucket, full_bucket, paused_bucket, take_block

NOW = 1_000_000.0


def test_a_seconds_worth_comes_at_once_and_the_rest_in_turn() -> None:
    bucket, block = take_block(full_bucket(10, NOW), 12, 10, NOW)
    assert block.permits == 10
    bucket, block = take_block(bucket, 2, 10, NOW)
    assert (block.permits, round(block.wait_s, 6)) == (0, 0.1)
    _, block = take_block(bucket, 2, 10, NOW + 0.1)
    assert block.permits == 1


def test_a_slow_rate_lets_the_first_call_through() -> None:
    bucket, first = take_block(full_bucket(0.5, NOW), 1, 0.5, NOW)
    _, second = take_block(bucket, 1, 0.5, NOW)
    assert (first.permits, second) == (1, Block(wait_s=2.0))


def test_an_idle_hour_saves_up_one_second() -> None:
    _, block = take_block(Bucket(NOW - 3600, 0.0), 100, 2, NOW)
    assert block.permits == 2


def test_no_call_is_made_in_a_pause_and_nothing_is_saved_up_in_it() -> None:
    paused = paused_bucket(full_bucket(50, NOW), 60, NOW)
    bucket, block = take_block(paused, 10, 50, NOW + 20)
    assert block == Block(wait_s=40, pause_s=40)
    _, block = take_block(bucket, 100, 50, NOW + 60.1)
    assert block.permits == 5


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    paused = paused_bucket(paused_bucket(full_bucket(50, NOW), 60, NOW), 5, NOW + 1)
    assert take_block(paused, 1, 50, NOW + 10)[1].pause_s == 50


def test_an_answer_that_asks_for_a_year_pauses_the_account_for_minutes() -> None:
    paused = paused_bucket(full_bucket(50, NOW), 3e7, NOW)
    assert take_block(paused, 1, 50, NOW)[1].pause_s == 300


def test_a_clock_that_was_set_back_stops_no_call() -> None:
    """The bucket is of a clock that was an hour ahead, and it was paused then."""
    ahead = paused_bucket(full_bucket(50, NOW + 3600), 60, NOW + 3600)
    bucket, block = take_block(ahead, 10, 50, NOW)
    assert block.pause_s == 0
    assert block.wait_s < 0.1
    assert take_block(bucket, 10, 50, NOW + 0.1)[1].permits == 5


@pytest.mark.parametrize("per_second", [0.3, 7.0, 5000.0])
def test_a_call_that_waits_as_told_gets_its_permit(per_second: float) -> None:
    """Rounding makes no call wait again."""
    instant = NOW
    bucket = full_bucket(per_second, instant)
    for _ in range(2000):
        bucket, block = take_block(bucket, 1, per_second, instant)
        if not block.permits:
            instant += block.wait_s
            bucket, block = take_block(bucket, 1, per_second, instant)
        assert block.permits == 1


@given(
    per_second=st.floats(0.1, 500),
    steps=st.lists(st.tuples(st.floats(0, 3), st.integers(1, 600)), max_size=40),
)
def test_all_blocks_together_never_exceed_the_rate(
    per_second: float, steps: list[tuple[float, int]]
) -> None:
    """Beyond a second's worth, or the one permit that gathers at a slow rate."""
    instant = NOW
    bucket = full_bucket(per_second, instant)
    result = 0
    for pause_s, expected in steps:
        instant += pause_s
        bucket, block = take_block(bucket, expected, per_second, instant)
        result += block.permits
        assert block.permits <= expected
        assert result <= max(1.0, per_second) + per_second * (instant - NOW) + 0.01
