"""Budgets of order, batch and day."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.budget import Limits, over_budget
from domain.money import Money, total_of

amounts = st.lists(st.integers(min_value=1, max_value=10_000), max_size=20)


def limits(*, order: int | None = None, batch: int | None = None, day: int | None = None, spent: int = 0) -> Limits:
    def money(fen: int | None) -> Money | None:
        return None if fen is None else Money(fen)

    return Limits(
        order=money(order), batch=money(batch), day=money(day), batch_spent=Money(spent), day_spent=Money(spent)
    )


def test_without_limits_everything_fits() -> None:
    """No limit is no limit."""
    assert over_budget([("A", Money(10**9))], limits()) == {}


def test_an_order_above_its_own_limit_is_named() -> None:
    """The limit for one order counts each order alone."""
    assert over_budget([("A", Money(101)), ("B", Money(100))], limits(order=100)) == {
        "A": "1.01 CNY is above the limit for one order, 1.00 CNY"
    }


def test_a_smaller_later_order_may_still_fit() -> None:
    """An order that doesn't fit takes nothing from the budget."""
    assert over_budget([("A", Money(60)), ("B", Money(50)), ("C", Money(40))], limits(batch=100)) == {
        "B": "0.50 CNY does not fit the budget: 0.60 CNY of 1.00 CNY is taken"
    }


def test_what_is_in_flight_counts_as_spent() -> None:
    """Earlier orders of the batch and the day lower what is left."""
    assert set(over_budget([("A", Money(60))], limits(batch=100, spent=50))) == {"A"}
    assert set(over_budget([("A", Money(60))], limits(day=100, spent=50))) == {"A"}


@given(amounts, st.integers(min_value=0, max_value=50_000), st.integers(min_value=0, max_value=50_000))
def test_what_passes_never_exceeds_the_budget(fens: list[int], budget: int, spent: int) -> None:
    """Whatever the amounts, the accepted orders and what was spent stay within the budget, or nothing was accepted."""
    orders = [(str(place), Money(fen)) for place, fen in enumerate(fens)]
    rejected = over_budget(orders, limits(batch=budget, spent=spent))
    accepted = total_of([money for ref, money in orders if ref not in rejected])
    assert accepted.minor == 0 or accepted.minor + spent <= budget
