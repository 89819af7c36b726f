"""Two readings of one amount."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.marketplace import Marketplace
from domain.money import CurrencyMismatch, Money
from domain.witnessed import (
    Amount,
    Contradicted,
    Gap,
    Kind,
    Source,
    Statement,
    agreed,
    agreed_taken,
    agreed_total,
    contradiction,
)

FEN = st.integers(min_value=1, max_value=10**12)


def says(fen: int, source: Source = Source.OFFER) -> Statement:
    return Statement(source=source, value=Money(fen))


def gap(first: int, second: int) -> Gap | None:
    verdict = agreed(says(first), says(second, Source.PREVIEW))
    return verdict.gap if isinstance(verdict, Contradicted) else None


@pytest.mark.parametrize(
    ("first", "second", "apart"),
    [
        (17_701, 17_701, None),
        (17_701, 178, Gap.UNIT),  # whole yuan where fen are written
        (178, 17_701, Gap.UNIT),
        (199, 1, Gap.UNIT),  # 1.99 told as 1
        (50, 1, Gap.UNIT),
        (49, 1, Gap.FAR),
        (201, 1, Gap.FAR),
        (300, 100, None),
        (301, 100, Gap.FAR),
        (100, 301, Gap.FAR),
        (1420, 0, Gap.FAR),
        (0, 0, Gap.FAR),
    ],
)
def test_readings_are_apart_by_a_unit_or_far_or_not_at_all(
    first: int, second: int, apart: Gap | None
) -> None:
    """Yuan and fen lie near a hundred of each other, prices within three times."""
    assert gap(first, second) is apart


@given(FEN)
def test_fen_read_as_yuan_and_yuan_as_fen_are_a_unit_apart(fen: int) -> None:
    assert gap(fen, fen * 100) is gap(fen * 100, fen) is Gap.UNIT


@given(st.integers(min_value=100, max_value=10**12))
def test_whole_yuan_are_a_unit_apart_however_they_are_rounded(fen: int) -> None:
    assert gap(fen, fen // 100) is gap(fen, -(-fen // 100)) is Gap.UNIT


@given(FEN, FEN)
def test_it_matters_not_which_is_read_first(first: int, second: int) -> None:
    assert gap(first, second) is gap(second, first)


@given(FEN, FEN)
def test_what_agrees_is_within_three_times(first: int, second: int) -> None:
    assert (gap(first, second) is None) is (first <= 3 * second and second <= 3 * first)


@pytest.mark.parametrize(
    ("told", "apart"),
    [
        (291_20, None),
        (339_00, None),
        (169_50, None),
        (169_49, Gap.HALF),
        (3_39, Gap.UNIT),
        (339_00_00, Gap.UNIT),
    ],
)
def test_a_total_is_at_least_half_of_what_was_approved(
    told: int, apart: Gap | None
) -> None:
    """A coupon makes 291.20 of 339.00; nothing makes a tenth of it."""
    verdict = agreed_total(says(339_00, Source.LEDGER), says(told, Source.DETAIL))
    assert (verdict.gap if isinstance(verdict, Contradicted) else None) is apart


@given(FEN, FEN, st.booleans())
def test_what_is_counted_as_taken_is_never_less_than_was_paid_for(
    owed: int,
    told: int,
    is_ours: bool,  # noqa: FBT001
) -> None:
    """A payment of ours counts with what it was for, or more; another one with at least
    half of what was approved.
    """
    verdict = agreed_taken(Money(owed), Money(told), is_ours=is_ours)
    counted = told if isinstance(verdict, Amount) else owed
    assert counted >= owed if is_ours else counted * 2 >= owed


def test_a_payment_told_at_a_hundredth_is_another_unit() -> None:
    verdict = agreed_taken(Money(1420), Money(14), is_ours=True)
    assert verdict == Contradicted(
        kind=Kind.AMOUNT,
        first=says(1420, Source.LEDGER),
        second=says(14, Source.TAKEN),
        gap=Gap.UNIT,
    )


def test_a_payment_dearer_than_approved_is_believed() -> None:
    """The seller raised the price between our look and the payment."""
    assert isinstance(agreed_taken(Money(1420), Money(9000), is_ours=True), Amount)


def test_amounts_of_two_currencies_are_not_compared() -> None:
    with pytest.raises(CurrencyMismatch):
        agreed(says(100), Statement(source=Source.PREVIEW, value=Money(100, "USD")))


def test_a_contradiction_names_both_figures_and_the_remedy() -> None:
    verdict = agreed(says(177_01), says(1_78, Source.PREVIEW))
    assert isinstance(verdict, Contradicted)
    assert str(contradiction(verdict, Marketplace.BIG_MAJOR)) == (
        "the offer says 177.01 CNY, and the preview says 1.78 CNY: about a hundred times apart, so one of them is in "
        "another unit (yuan, fen). If the preview means yuan, set XPORTCN_UNITS=big_major.preview=yuan. "
        "Nothing is ordered or paid at big_major until it is checked: sourcing confirm big_major"
    )
