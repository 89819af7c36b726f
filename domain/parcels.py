"""Which orders share a parcel, and what shipping it cost each of their lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from domain.bills import Bill, BillLine, allocate
from domain.money import Money
from domain.wording import shorten


class Basis(StrEnum):
    """What freight was split by."""

    WEIGHT = "weight"
    VALUE = "value"
    NONE = "none"


def parcels(bills: Iterable[Bill]) -> list[list[Bill]]:
    """The orders by the parcels they share, directly or through a third; in the order of their references."""
    groups: dict[str, list[Bill]] = {}
    of_number: dict[str, str] = {}
    for bill in sorted(bills, key=lambda bill: bill.order_ref):
        met = {of_number[number] for number in _numbers(bill) if number in of_number}
        together = [*(one for name in sorted(met) for one in groups.pop(name)), bill]
        groups[bill.order_ref] = together
        of_number |= {number: bill.order_ref for one in together for number in _numbers(one)}
    grouped = [sorted(group, key=lambda bill: bill.order_ref) for group in groups.values()]
    return sorted(grouped, key=lambda group: group[0].order_ref)


def _numbers(bill: Bill) -> frozenset[str]:
    return bill.booking.numbers if bill.booking else frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Freight:
    """The cost of a parcel, by line of its orders in minor units; or why it can't be known."""

    amounts: Sequence[int]
    basis: Basis = Basis.NONE
    currency: str | None = None
    on: date | None = None
    problem: str = ""


def freight_of(together: Sequence[Bill]) -> Freight:
    """The fees of all bookings of one parcel, split over all lines in it: by weight where all are known, else by value.

    A parcel is converted at one rate, that of the day of its first booking.
    """
    lines = [line for bill in together for line in bill.lines]
    fees = {bill.booking.shipment_order_id: bill.booking.fee for bill in together if bill.booking}
    told = [fee for fee in fees.values() if fee is not None]
    currencies = {fee.currency for fee in told}
    if problem := _against(together, fees, currencies):
        return Freight(amounts=[0] * len(lines), problem=problem)
    if not fees:
        return Freight(amounts=[0] * len(lines))
    basis, weights = _weights(lines)
    if basis is Basis.VALUE and len(bought := {bill.currency for bill in together}) > 1:
        problem = f"its parcel holds goods bought in {shorten(sorted(bought))}, and their weights are not known"
        return Freight(amounts=[0] * len(lines), problem=problem)
    days = [bill.booking.on for bill in together if bill.booking and bill.booking.on]
    amounts = allocate(sum(fee.minor for fee in told), weights)
    return Freight(amounts=amounts, basis=basis, currency=currencies.pop(), on=min(days, default=None))


def _against(together: Sequence[Bill], fees: Mapping[str, Money | None], currencies: set[str]) -> str:
    if not fees:
        return "" if together[0].is_over else "shipping is not booked yet, so what it costs is not known"
    if None in fees.values():
        return "the warehouse did not tell what shipping cost"
    if any(fee.minor < 0 for fee in fees.values() if fee):
        return "what shipping cost is below zero"
    return f"the freight of its parcel was paid in {shorten(sorted(currencies))}" if len(currencies) > 1 else ""


def _weights(lines: Sequence[BillLine]) -> tuple[Basis, list[int]]:
    grams = [line.grams or 0 for line in lines]
    return (Basis.WEIGHT, grams) if all(grams) else (Basis.VALUE, [max(line.goods, 0) for line in lines])
