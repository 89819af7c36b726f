"""Exchange rates as the merchant gives them, each with its day and its source: looked up, never guessed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, localcontext

from domain.money import Money, minor_digits
from domain.wording import pluralize

OLDEST_DAYS = 7
"""A rate counts on its own day and on so many days after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """One `base` was worth `rate` of `into` on the day `on`, as `source` says. The other way round it says nothing."""

    base: str
    into: str
    rate: Decimal
    on: date
    source: str

    def of(self, money: Money, rounding: str = ROUND_HALF_UP) -> Money:
        """The amount in `into`, rounded to its whole minor units. Raises `ValueError` for another `base`."""
        if money.currency != self.base:
            raise ValueError(f"{money} is not in {self.base}")
        with localcontext(prec=100):
            minor = (money.major * self.rate).scaleb(minor_digits(self.into))
            return Money(int(minor.to_integral_value(rounding)), self.into)


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """An amount in another currency, and the rate that made it; None where it was in that currency already."""

    money: Money
    rate: Rate | None


@dataclass(frozen=True, slots=True)
class NoRate:
    """There is no rate for that day. `why` says what is missing and what to add to the merchant's file."""

    why: str


class Rates:
    """All rates of the merchant's file; none where there is no file, or where a `fault` keeps it from being used."""

    def __init__(self, rates: Iterable[Rate] = (), *, fault: str = "") -> None:
        self.fault = fault
        self._of: dict[tuple[str, str], list[Rate]] = {}
        for rate in sorted(rates, key=lambda rate: rate.on):
            self._of.setdefault((rate.base, rate.into), []).append(rate)

    def __iter__(self) -> Iterator[Rate]:
        """Pair by pair, the oldest of each first."""
        for rates in self._of.values():
            yield from rates

    def at(self, base: str, into: str, on: date) -> Rate | NoRate:
        """The newest rate of that day or the `OLDEST_DAYS` before it; one of a later day never counts."""
        if self.fault:
            return NoRate(self.fault)
        rates = self._of.get((base, into), [])
        upto = bisect_right(rates, on, key=lambda rate: rate.on)
        if upto and (on - rates[upto - 1].on).days <= OLDEST_DAYS:
            return rates[upto - 1]
        remedy = f"add one of {on} or of the {OLDEST_DAYS} days before it to SOURCING_RATES"
        return NoRate(f"{_lack(base, into, on, rates, upto)}; {remedy}")

    def convert(self, money: Money, into: str, on: date, rounding: str = ROUND_HALF_UP) -> Converted | NoRate:
        """The amount in `into` at the rate of the day on which it was paid or fell due."""
        if money.currency == into:
            return Converted(money=money, rate=None)
        rate = self.at(money.currency, into, on)
        return rate if isinstance(rate, NoRate) else Converted(money=rate.of(money, rounding), rate=rate)


def _lack(base: str, into: str, on: date, rates: list[Rate], upto: int) -> str:
    if not rates:
        return f"there is no rate from {base} to {into}"
    if not upto:
        return f"the rates from {base} to {into} begin with {rates[0].on}, after {on}"
    newest = rates[upto - 1].on
    return (
        f"the newest rate from {base} to {into} for {on} is {pluralize((on - newest).days, 'day')} older, of {newest}"
    )
