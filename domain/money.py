"""Money in whole minor units of one currency."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Self

UNUSUAL = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
MINOR_DIGITS = {
    code: digits for digits, codes in UNUSUAL.items() for code in codes.split()
}
"""Digits of the currencies (ISO 4217) that don't have the usual two."""
AMOUNT = re.compile(r"[+-]?\d{1,30}(\.\d{1,30})?([eE][+-]?\d{1,2})?")

TYPED = re.compile(r"[0-9]{1,30}(\.[0-9]{1,30})?")


def minor_digits(currency: str) -> int:
    """How many digits an amount of this currency has after the point."""
    return MINOR_DIGITS.get(currency, 2)


class CurrencyMismatch(TypeError):
    """Two amounts of different currencies met."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units: fen for CNY, cents for USD.

    Adding or comparing two currencies raises `CurrencyMismatch`.
    """

    minor: int
    currency: str = "CNY"

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise TypeError(
                f"money is a whole number of minor units, not {self.minor!r}"
            )

    @classmethod
    def parse(cls, amount: str | int | float | Decimal, currency: str = "CNY") -> Self:
        """Read a decimal amount in major units ("322.92" USD is 32292 minor).

        A float is read by its shortest text, so 0.1 is ten fen. Raises `ValueError` for
        text that is no number, and for more digits than the currency has, since
        rounding money is never ours to do.
        """
        text = str(amount).strip()
        integer_digits, _, fraction = text.partition(".")
        if len(fraction) <= (digits := minor_digits(currency)) and TYPED.fullmatch(
            text
        ):  # as nearly all are
            return cls(int(integer_digits + fraction.ljust(digits, "0")), currency)
        if not AMOUNT.fullmatch(text):
            raise ValueError(f"{amount!r} is not an amount of money")
        with localcontext(prec=100):
            minor = Decimal(text).scaleb(digits)
            if minor != minor.to_integral_value():
                raise ValueError(f"{amount!r} has more digits than {currency} has")
        return cls(int(minor), currency)

    @property
    def major(self) -> Decimal:
        """The amount in yuan, dollars, ..."""
        return Decimal(self.minor).scaleb(-minor_digits(self.currency))

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other).minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other).minor, self.currency)

    def __mul__(self, times: int) -> Money:
        return Money(self.minor * times, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other).minor

    def __le__(self, other: Money) -> bool:
        return self.minor <= self._same(other).minor

    def __gt__(self, other: Money) -> bool:
        return self.minor > self._same(other).minor

    def __ge__(self, other: Money) -> bool:
        return self.minor >= self._same(other).minor

    def __str__(self) -> str:
        return f"{self.major:,.{minor_digits(self.currency)}f} {self.currency}"

    def _same(self, amount: Money) -> Money:
        if amount.currency != self.currency:
            raise CurrencyMismatch(f"{self} and {amount} are of different currencies")
        return amount


def yuan(text: str, *, least: int = 1) -> Money:
    """The amount that a person wrote down in yuan, of so many fen; an exponent is a
    slip. Raises `ValueError`.
    """
    if not TYPED.fullmatch(text.strip()):
        raise ValueError(f"{text!r} is not an amount in yuan, such as 1500 or 99.50")
    amount = Money.parse(text)
    if amount.minor < least:
        raise ValueError(f"{text!r} is not above 0")
    return amount


def per_unit(total: Money, quantity: int) -> Money:
    """The price of one piece, rounded up half way to whole minor units; for display
    only.
    """
    unit = (Decimal(total.minor) / quantity).quantize(
        Decimal(1), rounding=ROUND_HALF_UP
    )
    return Money(int(unit), total.currency)


def by_currency(amounts: Iterable[Money]) -> dict[str, Money]:
    """The sum of each currency among these amounts."""
    sums: dict[str, Money] = {}
    for amount in amounts:
        sums[amount.currency] = (
            sums.get(amount.currency, Money(0, amount.currency)) + amount
        )
    return sums


def total_of(amounts: list[Money], currency: str = "CNY") -> Money:
    """The sum of amounts of one currency; zero of `currency` for none."""
    return sum(amounts, start=Money(0, currency))
