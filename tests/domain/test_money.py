"""Money: whole minor units, one currency, no rounding on the way in."""

from __future__ import annotations

import operator
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import CurrencyMismatch, Money, per_unit, total_of

MINOR = st.integers(min_value=-(10**15), max_value=10**15)
MONEY = st.builds(Money, MINOR, st.just("CNY"))


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("322.92", "USD", 32292),
        ("12", "CNY", 1200),
        (" 0.10 ", "CNY", 10),
        (0.1, "CNY", 10),
        (19.99, "CNY", 1999),
        (7, "CNY", 700),
        (Decimal("12.500"), "CNY", 1250),
        ("-3.5", "CNY", -350),
        ("1500", "JPY", 1500),
        ("1500.0", "KRW", 1500),
        ("90071992547409.93", "CNY", 9007199254740993),
    ],
)
def test_an_amount_in_major_units_is_read_exactly(
    amount: str | float | Decimal, currency: str, minor: int
) -> None:
    assert Money.parse(amount, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    "amount", ["", "abc", "1,200.50", "12.50 CNY", "¥5", "0x10", "--1"]
)
def test_text_that_is_no_number_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match="is not an amount of money"):
        Money.parse(amount)


@pytest.mark.parametrize(
    ("amount", "currency"), [("12.345", "CNY"), (0.001, "CNY"), ("1.5", "JPY")]
)
def test_more_digits_than_the_currency_has_are_refused_not_rounded(
    amount: str | float, currency: str
) -> None:
    with pytest.raises(ValueError, match=f"has more digits than {currency} has"):
        Money.parse(amount, currency)


@pytest.mark.parametrize("minor", [1.0, "1", True, Decimal(1), None])
def test_only_a_whole_number_makes_money(minor: object) -> None:
    with pytest.raises(TypeError, match="whole number of minor units"):
        Money(minor)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "act",
    [operator.add, operator.sub, operator.lt, operator.le, operator.gt, operator.ge],
)
def test_two_currencies_never_meet(act: Callable[[Money, Money], object]) -> None:
    with pytest.raises(
        CurrencyMismatch, match=r"1\.00 CNY and 1\.00 USD are of different currencies"
    ):
        act(Money(100), Money(100, "USD"))


def test_equal_minor_units_of_two_currencies_differ() -> None:
    assert Money(100) != Money(100, "USD")


@given(MONEY)
def test_what_is_written_in_major_units_reads_back_the_same(money: Money) -> None:
    assert Money.parse(money.major) == money
    assert Money.parse(str(money.major)) == money


@given(MINOR, st.sampled_from(["JPY", "KRW", "USD", "CNY", "EUR"]))
def test_every_currency_reads_back_the_same(minor: int, currency: str) -> None:
    assert Money.parse(Money(minor, currency).major, currency) == Money(minor, currency)


@given(MONEY, MONEY, st.integers(min_value=0, max_value=1_000_000))
def test_arithmetic_is_that_of_whole_numbers(
    one: Money, other: Money, times: int
) -> None:
    assert (one + other).minor == one.minor + other.minor
    assert one + other - other == one
    assert (one * times).minor == one.minor * times
    assert (one < other, one <= other) == (
        one.minor < other.minor,
        one.minor <= other.minor,
    )
    assert (one > other, one >= other) == (
        one.minor > other.minor,
        one.minor >= other.minor,
    )


@given(st.lists(MONEY))
def test_a_total_is_the_sum_of_its_parts(amounts: list[Money]) -> None:
    assert total_of(amounts).minor == sum(amount.minor for amount in amounts)


def test_the_total_of_nothing_has_the_currency_asked_for() -> None:
    assert total_of([], "USD") == Money(0, "USD")


@given(st.text())
def test_any_text_is_either_money_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert type(Money.parse(text).minor) is int


@pytest.mark.parametrize(
    ("total", "quantity", "unit"),
    [(1000, 3, 333), (1001, 2, 501), (5, 10, 1), (0, 4, 0), (700, 7, 100)],
)
def test_the_price_of_one_piece_rounds_half_up(
    total: int, quantity: int, unit: int
) -> None:
    assert per_unit(Money(total), quantity) == Money(unit)


@given(
    st.integers(min_value=0, max_value=10**12),
    st.integers(min_value=1, max_value=10**6),
)
def test_the_price_of_one_piece_is_off_by_half_a_fen_at_most(
    total: int, quantity: int
) -> None:
    assert (
        abs(per_unit(Money(total), quantity).minor * quantity - total) * 2 <= quantity
    )


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money(123456789), "1,234,567.89 CNY"),
        (Money(5), "0.05 CNY"),
        (Money(-350), "-3.50 CNY"),
        (Money(1500, "JPY"), "1,500 JPY"),
    ],
)
def test_money_shows_its_major_units_and_currency(money: Money, text: str) -> None:
    assert str(money) == text
