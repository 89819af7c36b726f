"""Exchange rates, and the landed cost of each line of a paid order, in the currency of
the merchant's books.

Nothing here is estimated. An amount that is not known makes a `problem`, and then the
order has no sum.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

from domain.bills import (
    OF_THE_GOODS,
    TAKEN_OFF,
    Bill,
    apportioned,
    fault_of,
    freight_of,
    net,
    parcels,
    split,
)
from domain.money import Money, minor_digits
from domain.wording import pluralize

OLDEST_DAYS = 7
"""A rate counts on its own day and on so many days after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """One `base` was worth `rate` of `into` on the day `on`, as `source` says. The
    other way round it says nothing.
    """

    base: str
    into: str
    rate: Decimal
    on: date
    source: str

    def of(self, money: Money, rounding: str = ROUND_HALF_UP) -> Money:
        """The amount in `into`, rounded to its whole minor units. Raises `ValueError`
        for another `base`.
        """
        if money.currency != self.base:
            raise ValueError(f"{money} is not in {self.base}")
        with localcontext(prec=100):
            minor = (money.major * self.rate).scaleb(minor_digits(self.into))
            return Money(int(minor.to_integral_value(rounding)), self.into)


@dataclass(frozen=True, slots=True)
class NoRate:
    """There is no rate for that day. `why` says what is missing and what to add to the
    merchant's file.
    """

    why: str


class Rates:
    """All rates of the merchant's file; none where there is no file, or where a `fault`
    keeps it from being used.
    """

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
        """The newest rate of that day or the `OLDEST_DAYS` before it; one of a later
        day never counts.
        """
        if self.fault:
            return NoRate(self.fault)
        rates = self._of.get((base, into), [])
        upto = bisect_right(rates, on, key=lambda rate: rate.on)
        if upto and (on - rates[upto - 1].on).days <= OLDEST_DAYS:
            return rates[upto - 1]
        remedy = (
            f"add one of {on} or of the {OLDEST_DAYS} days before it to SOURCING_RATES"
        )
        return NoRate(f"{_lack(base, into, on, rates, upto)}; {remedy}")


def _lack(base: str, into: str, on: date, rates: list[Rate], upto: int) -> str:
    if not rates:
        return f"there is no rate from {base} to {into}"
    if not upto:
        return f"the rates from {base} to {into} begin with {rates[0].on}, after {on}"
    newest = rates[upto - 1].on
    return f"the newest rate from {base} to {into} for {on} is {pluralize((on - newest).days, 'day')} older, of {newest}"


NO_CURRENCY = "SOURCING_CURRENCY is not set: name the currency of your books there"


@dataclass(frozen=True, slots=True)
class Books:
    """The currency of the merchant's books, empty while it is not set, and the rates
    into it.
    """

    currency: str
    rates: Rates

    def rate(self, currency: str, on: date | None, day: str) -> tuple[Rate | None, str]:
        """The rate of that day, None where none is needed; and what is missing; `day`
        names the day there.
        """
        if not self.currency:
            return None, NO_CURRENCY
        if currency == self.currency:
            return None, ""
        if on is None:
            return (
                None,
                f"{day} is not known, and so no rate from {currency} to {self.currency}",
            )
        rate = self.rates.at(currency, self.currency, on)
        return (None, rate.why) if isinstance(rate, NoRate) else (rate, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class LandedLine:
    """One line with its amounts by component: in minor units as paid, and converted
    unless `problem` says why not.
    """

    order_ref: str
    line_no: int
    paid: dict[str, int]
    freight_currency: str | None = None
    converted: dict[str, int] | None = None
    rate: Rate | None = None
    freight_rate: Rate | None = None
    problem: str = ""


def landed(bills: Iterable[Bill], books: Books) -> list[LandedLine]:
    """Every line of these orders with its cost, parcel by parcel."""
    return [line for together in parcels(bills) for line in _of_parcel(together, books)]


def _of_parcel(together: Sequence[Bill], books: Books) -> Iterator[LandedLine]:
    freight = freight_of(together)
    rate, problem_text = books.rate(
        freight.currency or books.currency, freight.on, "the day of its booking"
    )
    amounts = iter(
        zip(
            freight.amounts,
            _converted_sums(freight.amounts, _factor(rate)),
            strict=True,
        )
    )
    for bill in together:
        for line in _of_bill(bill, books, str(freight.problem or problem_text)):
            own, abroad = next(amounts)
            yield replace(
                line,
                paid={**line.paid, "freight": own},
                converted=None
                if line.converted is None
                else {**line.converted, "freight": abroad},
                freight_currency=freight.currency,
                freight_rate=rate,
            )


def _of_bill(bill: Bill, books: Books, problem: str) -> Iterator[LandedLine]:
    """The lines of a bill without freight; `problem` is that of the freight."""
    fault = fault_of(bill)
    rate, problem_text = books.rate(
        bill.currency, bill.paid_on, "the day of its payment"
    )
    message = "; ".join(
        dict.fromkeys(text for text in (fault, problem_text, problem) if text)
    )
    amounts = (
        [dict.fromkeys(OF_THE_GOODS, 0) for _ in bill.lines] if fault else split(bill)
    )
    converted = _converted(amounts, _factor(rate))
    for line, paid, abroad in zip(bill.lines, amounts, converted, strict=True):
        yield LandedLine(
            order_ref=bill.order_ref,
            line_no=line.line_no,
            paid=paid,
            converted=None if message else abroad,
            rate=rate,
            problem=message,
        )


def _factor(rate: Rate | None) -> Fraction:
    """From minor units to minor units."""
    if rate is None:
        return Fraction(1)
    return Fraction(rate.rate) * Fraction(10) ** (
        minor_digits(rate.into) - minor_digits(rate.base)
    )


def _half_up(exact: Fraction) -> int:
    return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)


def _converted(
    amounts: Sequence[dict[str, int]], factor: Fraction
) -> list[dict[str, int]]:
    """Each line in the other currency: the lines add up to the converted order, and the
    parts of a line to the line.
    """
    sums = _converted_sums([net(line) for line in amounts], factor)
    return [
        _parts(line, factor, total) for line, total in zip(amounts, sums, strict=True)
    ]


def _converted_sums(amounts: Sequence[int], factor: Fraction) -> list[int]:
    exact = [amount * factor.numerator for amount in amounts]
    return apportioned(exact, factor.denominator, _half_up(sum(amounts) * factor))


def _parts(line: dict[str, int], factor: Fraction, total: int) -> dict[str, int]:
    signs = [-1 if name in TAKEN_OFF else 1 for name in line]
    exact = [
        sign * amount * factor.numerator
        for sign, amount in zip(signs, line.values(), strict=True)
    ]
    parts = apportioned(exact, factor.denominator, total)
    return {
        name: sign * amount
        for name, sign, amount in zip(line, signs, parts, strict=True)
    }
