"""When a batch is looked at again, and what is said of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.follow_ups import FollowUp, due, merged

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def follow_up(**values: object) -> FollowUp:
    built: dict[str, object] = {
        "orders": 3,
        "batches": ("b",),
        "number": 1,
        "at": NOON + 17 * MINUTE,
        **values,
    }
    return FollowUp(**built)  # type: ignore[arg-type]


def test_it_waits_until_all_that_may_still_arrive_has_arrived() -> None:
    clear = [NOON + 3 * MINUTE, NOON + 17 * MINUTE, NOON - MINUTE]
    assert due(clear, now=NOON, number=1) == NOON + 17 * MINUTE + timedelta(seconds=5)


@pytest.mark.parametrize(
    ("number", "minutes"), [(1, 10), (2, 20), (3, 40), (4, 80), (5, 160)]
)
def test_pauses_grow(number: int, minutes: int) -> None:
    """For what passes by itself nobody knows when; so does what could not be asked
    about when it was due.
    """
    assert (
        due([], now=NOON, number=number)
        == due([NOON], now=NOON, number=number)
        == NOON + minutes * MINUTE
    )


def test_two_runs_that_end_together_agree_on_one_look() -> None:
    ends = [
        due([], now=NOON + timedelta(seconds=item), number=1) for item in (1, 100, 299)
    ]
    assert set(ends) == {NOON + 15 * MINUTE}


def test_a_service_that_wants_to_be_left_alone_is_left_alone() -> None:
    assert due([], now=NOON, number=1, ready_in_s=7200) == NOON + 120 * MINUTE
    assert due(
        [NOON + MINUTE], now=NOON, number=1, ready_in_s=7200
    ) == NOON + 120 * MINUTE + timedelta(seconds=5)


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (
            follow_up(here=False),
            "3 orders are read again by finish-open at 2026-01-01 12:17 UTC",
        ),
        (
            follow_up(orders=1, at=NOON + timedelta(seconds=1)),
            "1 order is to be read again: sourcing finish after 2026-01-01 12:01 UTC, or with --wait",
        ),
        (
            follow_up(is_late=True),
            "3 orders are to be read again (past the time by which it was to be done): run the same command after "
            "2026-01-01 12:17 UTC",
        ),
        (
            follow_up(orders=0, here=False, is_paused=True),
            "it is read again by finish-open once buying is resumed",
        ),
        (
            follow_up(is_paused=True),
            "3 orders are to be read again: sourcing finish once buying is resumed",
        ),
        (
            follow_up(number=6),
            "3 orders are still open after 5 looks, and no further one comes by itself: see to what stands with each "
            "order, then run the file again",
        ),
    ],
)
def test_it_says_what_happens_next(one: FollowUp, words: str) -> None:
    assert one.words == words


def test_looks_at_several_batches_are_told_as_one() -> None:
    pair = merged(
        [
            follow_up(),
            follow_up(orders=2, batches=("c",), at=NOON + 30 * MINUTE, number=2),
        ]
    )
    assert pair == follow_up(orders=5, batches=("b", "c"), at=NOON + 30 * MINUTE)
    assert merged([]) is None
