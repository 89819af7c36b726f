"""Budgets of order, batch and day."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.decisions import held
from domain.holds import BudgetLimits, over_budget, payable, start_of_day
from domain.money import Money, total_of
from domain.reasons import ReasonCode
from tests.verdicts import in_these_words, in_words

amounts = st.lists(st.integers(min_value=1, max_value=10_000), max_size=20)


def limits(
    *,
    order: int | None = None,
    batch: int | None = None,
    day: int | None = None,
    spent: int = 0,
) -> BudgetLimits:
    def money(fen: int | None) -> Money | None:
        return None if fen is None else Money(fen)

    return BudgetLimits(
        order=money(order),
        batch=money(batch),
        day=money(day),
        batch_spent=Money(spent),
        day_spent=Money(spent),
    )


def test_without_limits_everything_fits() -> None:
    """No limit is no limit."""
    assert over_budget([("A", Money(10**9))], limits()) == {}


def test_an_order_above_its_own_limit_is_named() -> None:
    """The limit for one order counts each order alone."""
    assert in_words(
        over_budget([("A", Money(101)), ("B", Money(100))], limits(order=100))
    ) == {
        "A": held(in_these_words("1.01 CNY is above the limit for one order, 1.00 CNY"))
    }


def test_a_smaller_later_order_may_still_fit() -> None:
    """An order that doesn't fit takes nothing from the budget."""
    over = over_budget(
        [("A", Money(60)), ("B", Money(50)), ("C", Money(40))], limits(batch=100)
    )
    assert in_words(over) == {
        "B": held(
            in_these_words(
                "0.50 CNY does not fit the budget: 0.60 CNY of 1.00 CNY is taken"
            )
        )
    }


def test_what_is_in_flight_counts_as_spent() -> None:
    """Earlier orders of the batch and the day lower what is left."""
    assert set(over_budget([("A", Money(60))], limits(batch=100, spent=50))) == {"A"}
    over_the_day = over_budget([("A", Money(60))], limits(day=100, spent=50))
    assert {
        ref: verdict.why and verdict.why.code for ref, verdict in over_the_day.items()
    } == {"A": ReasonCode.OVER_DAY_LIMIT}


@given(
    amounts,
    st.integers(min_value=0, max_value=50_000),
    st.integers(min_value=0, max_value=50_000),
)
def test_what_passes_never_exceeds_the_budget(
    fens: list[int], budget: int, spent: int
) -> None:
    """Whatever the amounts, the accepted orders and what was spent stay within the
    budget, or nothing was accepted.
    """
    orders = [(str(index), Money(fen)) for index, fen in enumerate(fens)]
    rejected = over_budget(orders, limits(batch=budget, spent=spent))
    accepted = total_of([money for ref, money in orders if ref not in rejected])
    assert accepted.minor == 0 or accepted.minor + spent <= budget


tolerances = st.decimals(min_value=0, max_value=100, places=2)


@pytest.mark.parametrize(
    ("approved", "tolerance", "most"),
    [
        (10_000, "0", 10_000),
        (10_000, "2.5", 10_250),
        (999, "1", 1_008),
        (99, "1", 99),
        (1, "100", 2),
        (0, "5", 0),
    ],
)
def test_what_may_be_paid_is_rounded_down(
    approved: int, tolerance: str, most: int
) -> None:
    """A fen that the tolerance does not wholly cover is not granted."""
    assert payable(Money(approved), Decimal(tolerance)) == Money(most)


@given(st.integers(min_value=0, max_value=10**15), tolerances)
def test_a_tolerance_never_grants_more_than_it_says(
    approved: int, tolerance: Decimal
) -> None:
    """Exact at any size: not below what was approved, not a fen above the
    percentage.
    """
    minor = payable(Money(approved), tolerance).minor
    assert approved <= minor
    assert (
        minor * 10_000
        <= approved * (10_000 + int(tolerance * 100))
        < (minor + 1) * 10_000
    )


def test_budgets_count_the_most_that_an_order_may_come_to() -> None:
    """1.00 with a tolerance of 10 percent needs room for 1.10."""
    tight = BudgetLimits(batch=Money(209), tolerance=Decimal(10))
    assert over_budget([("A", Money(100)), ("B", Money(90))], tight) == {}
    message = "1.00 CNY with the price tolerance does not fit the budget: 1.10 CNY of 2.09 CNY is taken"
    over = over_budget([("A", Money(100)), ("B", Money(91))], tight)
    assert in_words(over) == {"B": held(in_these_words(message))}
    assert set(
        over_budget(
            [("A", Money(100))], BudgetLimits(order=Money(109), tolerance=Decimal(10))
        )
    ) == {"A"}


@given(amounts, tolerances, st.integers(min_value=0, max_value=50_000))
def test_no_rise_within_the_tolerance_breaks_the_budget(
    fens: list[int], tolerance: Decimal, budget: int
) -> None:
    """When every accepted order comes to its most, the sum still is within the
    budget.
    """
    rejected = over_budget(
        [(str(index), Money(fen)) for index, fen in enumerate(fens)],
        BudgetLimits(batch=Money(budget), tolerance=tolerance),
    )
    accepted = [
        payable(Money(fen), tolerance)
        for index, fen in enumerate(fens)
        if str(index) not in rejected
    ]
    assert total_of(accepted).minor <= budget


@pytest.mark.parametrize(
    ("now", "timezone", "start"),
    [
        ("2026-06-01T15:59:59+00:00", "Asia/Shanghai", "2026-05-31T16:00:00+00:00"),
        ("2026-06-01T16:00:00+00:00", "Asia/Shanghai", "2026-06-01T16:00:00+00:00"),
        (
            "2026-03-29T12:00:00+00:00",
            "Europe/Berlin",
            "2026-03-28T23:00:00+00:00",
        ),  # a day of 23 hours
        ("2026-03-29T21:59:59+00:00", "Europe/Berlin", "2026-03-28T23:00:00+00:00"),
        ("2026-03-29T22:00:00+00:00", "Europe/Berlin", "2026-03-29T22:00:00+00:00"),
        (
            "2026-10-25T01:30:00+00:00",
            "Europe/Berlin",
            "2026-10-24T22:00:00+00:00",
        ),  # the second 02:30 of that day
        (
            "2026-10-25T22:59:59+00:00",
            "Europe/Berlin",
            "2026-10-24T22:00:00+00:00",
        ),  # a day of 25 hours
        ("2026-10-25T23:00:00+00:00", "Europe/Berlin", "2026-10-25T23:00:00+00:00"),
        (
            "2026-11-01T04:30:00+00:00",
            "America/Havana",
            "2026-11-01T04:00:00+00:00",
        ),  # midnight comes twice:
        (
            "2026-11-01T05:30:00+00:00",
            "America/Havana",
            "2026-11-01T04:00:00+00:00",
        ),  # the first of them counts
        (
            "2026-09-06T04:30:00+00:00",
            "America/Santiago",
            "2026-09-06T04:00:00+00:00",
        ),  # midnight is skipped
        ("2026-09-06T03:59:59+00:00", "America/Santiago", "2026-09-05T04:00:00+00:00"),
    ],
)
def test_a_day_begins_at_its_first_instant_in_the_merchants_zone(
    now: str, timezone: str, start: str
) -> None:
    """Whatever the clocks do that day, two instants of one date share their limit and
    no others do.
    """
    assert start_of_day(
        datetime.fromisoformat(now), timezone
    ) == datetime.fromisoformat(start)


@pytest.mark.parametrize("fen", [0, -1, -21_292, -(2**70)])
def test_what_costs_nothing_opens_no_budget(fen: int) -> None:
    """A negative quote once paid for 212.92 CNY of a budget of 60.00: such a preview is
    not taken, nor is its sum.
    """
    with pytest.raises(ValueError, match="an order can't cost"):
        over_budget(
            [("A-1", Money(fen)), ("A-2", Money(6_000))],
            BudgetLimits(batch=Money(6_000)),
        )
