"""What a parcel's report says, and when somebody is to look."""

from __future__ import annotations

import pytest

from domain.money import Money
from domain.received import Parcel, problems_of


def parcel(status: str = "质检通过", weight: str = "0.4") -> Parcel:
    return Parcel(tracking_number="YT1", status=status, weight=weight)


@pytest.mark.parametrize(
    ("status", "inspection"),
    [
        ("质检通过", "passed"),
        (" PASSED ", "passed"),
        ("", "not_said"),
        ("质检不通过", "failed"),
        ("?", "failed"),
    ],
)
def test_only_a_word_that_says_so_is_a_pass(status: str, inspection: str) -> None:
    assert parcel(status).inspection == inspection


@pytest.mark.parametrize(
    ("weight", "grams"),
    [
        ("0.4", 400),
        ("34", 34_000),
        ("", None),
        ("0", None),
        ("-1", None),
        ("NaN", None),
        ("1e9", None),
        ("a", None),
    ],
)
def test_what_can_be_no_weight_is_none(weight: str, grams: int | None) -> None:
    assert parcel(weight=weight).grams == grams


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        ("0.93", ""),
        (
            "0.931",
            "it weighs 0.931 kg, and by earlier parcels of the same goods 0.8 kg were to be expected",
        ),
        ("0.1", ""),
    ],
)
def test_packing_may_weigh_something(weight: str, words: str) -> None:
    found = problems_of(
        parcel(weight=weight), shown=["YT1"], per_piece=[390, 400, 2000], pieces=2
    )
    assert (str(found or "").startswith(words), bool(found)) == (True, bool(words))


@pytest.mark.parametrize(
    ("estimated", "words"),
    [
        (
            Money(2161, "USD"),
            "its freight would be 21.61 USD by a fresh estimate, and was booked for 21.60 USD",
        ),
        (Money(2160, "USD"), ""),
        (Money(2000, "USD"), ""),
        (Money(9000, "CNY"), ""),
        (None, ""),
    ],
)
def test_freight_that_rose_is_told(estimated: Money | None, words: str) -> None:
    found = problems_of(
        parcel(), shown=["YT1"], booked=Money(2160, "USD"), estimated=estimated
    )
    assert str(found or "") == words


def test_a_parcel_that_the_service_does_not_show_is_not_believed() -> None:
    found = problems_of(
        parcel("质检不通过", "900"), shown=["YT2"], per_piece=[1], pieces=1
    )
    assert (
        str(found)
        == "the service shows no such parcel for this order: its report is not believed"
    )
