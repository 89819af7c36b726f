"""The landed cost of each line of a paid order, in the currency of the merchant's books.

Nothing here is estimated. An amount that is not known makes a `problem`, and then the order has no sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

from domain.bills import OF_THE_GOODS, TAKEN_OFF, Basis, Bill, apportioned, fault_of, freight_of, net, parcels, split
from domain.money import minor_digits
from domain.rates import NoRate, Rate, Rates

NOT_PAID = "the line is no longer among those that were paid"
"""The problem of a row whose line is no longer paid; it stays in the table."""
NO_CURRENCY = "SOURCING_CURRENCY is not set: name the currency of your books there"


@dataclass(frozen=True, slots=True)
class Books:
    """The currency of the merchant's books, empty while it is not set, and the rates into it."""

    currency: str
    rates: Rates

    def rate(self, currency: str, on: date | None, day: str) -> tuple[Rate | None, str]:
        """The rate of that day, None where none is needed; and what is missing; `day` names the day there."""
        if not self.currency:
            return None, NO_CURRENCY
        if currency == self.currency:
            return None, ""
        if on is None:
            return None, f"{day} is not known, and so no rate from {currency} to {self.currency}"
        found = self.rates.at(currency, self.currency, on)
        return (None, found.why) if isinstance(found, NoRate) else (found, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class LandedLine:
    """One line with its amounts by component: in minor units as paid, and converted unless `problem` says why not."""

    order_ref: str
    line_no: int
    paid: dict[str, int]
    freight_currency: str | None = None
    basis: Basis = Basis.NONE
    converted: dict[str, int] | None = None
    rate: Rate | None = None
    freight_rate: Rate | None = None
    problem: str = ""


def landed(bills: Iterable[Bill], books: Books) -> list[LandedLine]:
    """Every line of these orders with its cost, parcel by parcel."""
    return [line for together in parcels(bills) for line in _of_parcel(together, books)]


def _of_parcel(together: Sequence[Bill], books: Books) -> Iterator[LandedLine]:
    freight = freight_of(together)
    rate, lacking = books.rate(freight.currency or books.currency, freight.on, "the day of its booking")
    amounts = iter(zip(freight.amounts, _converted_sums(freight.amounts, _factor(rate)), strict=True))
    for bill in together:
        for line in _of_bill(bill, books, str(freight.problem or lacking)):
            own, abroad = next(amounts)
            yield replace(
                line,
                paid={**line.paid, "freight": own},
                converted=None if line.converted is None else {**line.converted, "freight": abroad},
                freight_currency=freight.currency,
                basis=freight.basis,
                freight_rate=rate,
            )


def _of_bill(bill: Bill, books: Books, problem: str) -> Iterator[LandedLine]:
    """The lines of a bill without freight; `problem` is that of the freight."""
    fault = fault_of(bill)
    rate, lacking = books.rate(bill.currency, bill.paid_on, "the day of its payment")
    said = "; ".join(dict.fromkeys(one for one in (fault, lacking, problem) if one))
    amounts = [dict.fromkeys(OF_THE_GOODS, 0) for _ in bill.lines] if fault else split(bill)
    converted = _converted(amounts, _factor(rate))
    for line, paid, abroad in zip(bill.lines, amounts, converted, strict=True):
        yield LandedLine(
            order_ref=bill.order_ref,
            line_no=line.line_no,
            paid=paid,
            converted=None if said else abroad,
            rate=rate,
            problem=said,
        )


def _factor(rate: Rate | None) -> Fraction:
    """From minor units to minor units."""
    if rate is None:
        return Fraction(1)
    return Fraction(rate.rate) * Fraction(10) ** (minor_digits(rate.into) - minor_digits(rate.base))


def _half_up(exact: Fraction) -> int:
    return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)


def _converted(amounts: Sequence[dict[str, int]], factor: Fraction) -> list[dict[str, int]]:
    """Each line in the other currency: the lines add up to the converted order, and the parts of a line to the line."""
    sums = _converted_sums([net(line) for line in amounts], factor)
    return [_parts(line, factor, total) for line, total in zip(amounts, sums, strict=True)]


def _converted_sums(amounts: Sequence[int], factor: Fraction) -> list[int]:
    exact = [amount * factor.numerator for amount in amounts]
    return apportioned(exact, factor.denominator, _half_up(sum(amounts) * factor))


def _parts(line: dict[str, int], factor: Fraction, total: int) -> dict[str, int]:
    signs = [-1 if name in TAKEN_OFF else 1 for name in line]
    exact = [sign * amount * factor.numerator for sign, amount in zip(signs, line.values(), strict=True)]
    parts = apportioned(exact, factor.denominator, total)
    return {name: sign * part for name, sign, part in zip(line, signs, parts, strict=True)}
