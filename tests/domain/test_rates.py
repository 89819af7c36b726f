"""Rates as the merchant gives them: of the right day, with its source, or a sentence
that says what is missing.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.landed import NoRate, Rate, Rates
from domain.money import Money, minor_digits
from domain.plan import Sum, in_one

DAY = date(2026, 11, 26)


def rate(number: str, on: date = DAY, base: str = "CNY", into: str = "EUR") -> Rate:
    return Rate(base=base, into=into, rate=Decimal(number), on=on, source="ECB")


@pytest.mark.parametrize(
    ("money", "number", "into", "converted"),
    [
        (Money(10_000), "0.1285", "EUR", 1285),
        (Money(100), "0.125", "EUR", 13),  # 12.5 cents: half up
        (
            Money(12_345),
            "21.3",
            "JPY",
            2629,
        ),  # 123.45 x 21.3 = 2629.485: no minor units
        (Money(12_345), "0.0429", "KWD", 5296),  # 5.296005 dinars: three digits
        (Money(1_500, "JPY"), "0.0469", "CNY", 7035),
        (Money(1_234, "KWD"), "3.26", "USD", 402),  # 1.234 x 3.26 = 4.02284
    ],
)
def test_an_amount_is_converted_to_whole_minor_units(
    money: Money, number: str, into: str, converted: int
) -> None:
    given_rate = rate(number, base=money.currency, into=into)

    answer = in_one([money], into, Rates([given_rate]), DAY)

    assert answer == Sum(money=Money(converted, into), rates=[given_rate], lacks=[])


def test_what_is_in_that_currency_already_needs_no_rate() -> None:
    assert in_one([Money(5, "EUR")], "EUR", Rates(), DAY) == Sum(
        money=Money(5, "EUR"), rates=[], lacks=[]
    )


def test_the_newest_rate_of_the_day_or_the_seven_before_it_counts() -> None:
    rates = Rates(
        [
            rate("0.13", DAY + timedelta(days=1)),
            rate("0.12", DAY - timedelta(days=7)),
            rate("0.11", DAY),
        ]
    )

    assert rates.at("CNY", "EUR", DAY) == rate("0.11", DAY)
    assert rates.at("CNY", "EUR", DAY - timedelta(days=1)) == rate(
        "0.12", DAY - timedelta(days=7)
    )
    assert rates.at("CNY", "EUR", DAY + timedelta(days=8)) == rate(
        "0.13", DAY + timedelta(days=1)
    )


REMEDY = "; add one of 2026-11-26 or of the 7 days before it to SOURCING_RATES"


@pytest.mark.parametrize(
    ("rates", "why"),
    [
        ([], "there is no rate from CNY to EUR"),
        ([rate("7.8", base="EUR", into="CNY")], "there is no rate from CNY to EUR"),
        (
            [rate("0.1", date(2026, 11, 27))],
            "the rates from CNY to EUR begin with 2026-11-27, after 2026-11-26",
        ),
        (
            [rate("0.1", date(2026, 11, 18)), rate("0.1", date(2026, 11, 27))],
            "the newest rate from CNY to EUR for 2026-11-26 is 8 days older, of 2026-11-18",
        ),
    ],
)
def test_a_missing_or_old_or_future_rate_is_said_and_never_guessed(
    rates: list[Rate], why: str
) -> None:
    assert Rates(rates).at("CNY", "EUR", DAY) == NoRate(why + REMEDY)


def test_a_rate_converts_its_own_currency_alone() -> None:
    with pytest.raises(ValueError, match=r"1\.00 USD is not in CNY"):
        rate("0.1").of(Money(100, "USD"))


@given(
    st.integers(0, 10**15),
    st.decimals("0.000001", "999999", places=6),
    st.sampled_from(["CNY", "JPY", "KWD"]),
    st.sampled_from(["EUR", "KRW", "BHD"]),
)
def test_converting_is_off_by_half_a_minor_unit_at_most(
    minor: int, number: Decimal, base: str, into: str
) -> None:
    money = Money(minor, base)
    exact = (
        Fraction(minor)
        * Fraction(number)
        * Fraction(10) ** (minor_digits(into) - minor_digits(base))
    )

    assert abs(
        rate(str(number), base=base, into=into).of(money).minor - exact
    ) <= Fraction(1, 2)
