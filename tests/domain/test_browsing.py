"""What can be asked of a marketplace."""

from __future__ import annotations

import pytest

from domain.money import Money
from domain.offers import Filters


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"page": 0}, "pages count from 1"),
        ({"page_size": 51}, "a page holds 1 to 50 offers"),
        (
            {"min_price": Money(200), "max_price": Money(100)},
            "the lowest price 2.00 CNY is above the highest 1.00 CNY",
        ),
    ],
)
def test_filters_that_make_no_sense_are_refused(
    wrong: dict[str, object], problem: str
) -> None:
    """Before anything is sent."""
    with pytest.raises(ValueError, match=problem):
        Filters(**wrong)  # type: ignore[arg-type]
