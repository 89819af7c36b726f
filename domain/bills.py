"""A paid order's amounts, a parcel's freight, and each line's part of them in whole
minor units.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from domain.money import Money


def allocate(total: int, weights: Sequence[int]) -> list[int]:
    """`total` cut in proportion to `weights`, none of them below zero; into equal parts
    where all are zero.
    """
    if not total or len(weights) == 1:
        return [total] * len(weights)
    if not any(weights):
        weights = [1] * len(weights)
    return apportioned([total * weight for weight in weights], sum(weights) or 1, total)


def apportioned(numerators: Sequence[int], denominator: int, total: int) -> list[int]:
    """Each `numerator / denominator` rounded down or up to a whole number, so that
    together they are `total`.

    Those with the largest remainders are rounded up; of equal ones the first. `total`
    must be the exact sum, or that rounded. Raises `ValueError` where whole numbers next
    to the exact ones can't come to it.
    """
    if denominator == 1 and sum(numerators) == total:
        return list(numerators)
    rounded = [numerator // denominator for numerator in numerators]
    remainders = [numerator % denominator for numerator in numerators]
    amounts_text = total - sum(rounded)
    if not 0 <= amounts_text <= sum(remainder > 0 for remainder in remainders):
        raise ValueError(f"{total} is not what {len(numerators)} parts come to")
    for at in sorted(range(len(rounded)), key=lambda at: -remainders[at])[
        :amounts_text
    ]:
        rounded[at] += 1
    return rounded


TAKEN_OFF = ("discount", "refunded")
OF_THE_GOODS = ("goods", "postage", "surcharge", *TAKEN_OFF)


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """One line: its goods in minor units of the order's currency."""

    line_no: int
    goods: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """The amounts of the preview, in minor units."""

    goods: int
    postage: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """What shipping was booked for an order. `numbers` are those of its parcels: a
    common one is a shared parcel.
    """

    shipment_order_id: str
    numbers: frozenset[str]
    fee: Money | None
    on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What is known of one paid order, in minor units of `currency`; days are the
    merchant's.

    `refunds` are (part, amount): `all`, or lines such as `1+3`. `is_over` says that
    nothing more will be shipped.
    """

    order_ref: str
    currency: str
    paid: int
    paid_on: date | None
    lines: tuple[BillLine, ...]
    quoted: Quoted | None = None
    refunds: tuple[tuple[str, int], ...] = ()
    booking: Booking | None = None
    is_over: bool = False
    problem: str = ""


def net(amounts: dict[str, int]) -> int:
    """What the components come to."""
    return sum(
        -amount if name in TAKEN_OFF else amount for name, amount in amounts.items()
    )


def fault_of(bill: Bill) -> str:
    """Why the amounts of a bill can't be complete; empty when they can."""
    listed = sum(line.goods for line in bill.lines)
    quoted = bill.quoted
    beside = (quoted.goods, quoted.postage) if quoted else ()
    if (
        min(
            [
                *beside,
                bill.paid,
                *(line.goods for line in bill.lines),
                *(back for _, back in bill.refunds),
            ]
        )
        < 0
    ):
        return "an amount of it is below zero"
    if quoted and listed < quoted.goods:
        amounts_text = f"{Money(listed, bill.currency)}, its quote to {Money(quoted.goods, bill.currency)}"
        return f"the goods of its lines come to {amounts_text}: a line is missing"
    return bill.problem


def split(bill: Bill) -> list[dict[str, int]]:
    """Each line's part of the order, in minor units; the lines add up to what was paid
    less what came back.

    Raises `ValueError` for a bill with a `fault_of`.
    """
    goods = [line.goods for line in bill.lines]
    postage, surcharge, discount = _beside_the_goods(bill)
    added = [allocate(postage, goods), allocate(surcharge, goods)]
    gross = [sum(amount) for amount in zip(goods, *added, strict=True)]
    off = allocate(discount, gross)
    net_amounts = [amount - less for amount, less in zip(gross, off, strict=True)]
    columns = (goods, *added, off, _refunded(bill, net_amounts))
    return [
        dict(zip(OF_THE_GOODS, amounts, strict=True))
        for amounts in zip(*columns, strict=True)
    ]


def _beside_the_goods(bill: Bill) -> tuple[int, int, int]:
    """Postage as quoted; and what else was paid above (surcharge) or below (discount)
    the prices of the lines.
    """
    listed = sum(line.goods for line in bill.lines)
    quoted = bill.quoted or Quoted(goods=listed, postage=0, total=listed)
    apart = (
        quoted.goods - listed,
        quoted.total - quoted.goods - quoted.postage,
        bill.paid - quoted.total,
    )
    return (
        quoted.postage,
        sum(amount for amount in apart if amount > 0),
        -sum(amount for amount in apart if amount < 0),
    )


def _refunded(bill: Bill, net_amounts: Sequence[int]) -> list[int]:
    """What came back of each line, never more than its part: the lines that a refund is
    for, then the others.
    """
    back = [0] * len(net_amounts)
    for lines_part, amount in bill.refunds:
        remaining = [
            took - returned for took, returned in zip(net_amounts, back, strict=True)
        ]
        named = [
            amount if _is_for(lines_part, line) else 0
            for amount, line in zip(remaining, bill.lines, strict=True)
        ]
        first = min(amount, sum(named))
        other_amounts = [
            amount - own for amount, own in zip(remaining, named, strict=True)
        ]
        remainder = min(amount - first, sum(other_amounts))
        for sums in (allocate(first, named), allocate(remainder, other_amounts)):
            back = [amount + more for amount, more in zip(back, sums, strict=True)]
    return back


def _is_for(lines_part: str, line: BillLine) -> bool:
    return lines_part == "all" or str(line.line_no) in lines_part.split("+")


NUMBERED_ANEW = timedelta(days=180)
"""A parcel's number is compared with those of orders booked within so long: carriers
use numbers again.
"""


def parcels(bills: Iterable[Bill]) -> list[list[Bill]]:
    """The orders by the parcels they share, directly or through a third; in the order
    of their references.
    """
    groups: dict[str, list[Bill]] = {}
    newest: dict[str, Bill] = {}
    group_of: dict[str, str] = {}
    for bill in sorted(
        bills, key=lambda bill: (_booked_on(bill) or date.max, bill.order_ref)
    ):
        shared = (newest[number] for number in _numbers(bill) if number in newest)
        met = {
            group_of[other.order_ref] for other in shared if not _is_anew(bill, other)
        }
        groups[bill.order_ref] = [
            *(bill for name in sorted(met) for bill in groups.pop(name)),
            bill,
        ]
        group_of |= dict.fromkeys(
            (amount.order_ref for amount in groups[bill.order_ref]), bill.order_ref
        )
        newest |= dict.fromkeys(_numbers(bill), bill)
    grouped = [
        sorted(group, key=lambda bill: bill.order_ref) for group in groups.values()
    ]
    return sorted(grouped, key=lambda group: group[0].order_ref)


def _is_anew(later: Bill, earlier: Bill) -> bool:
    on = _booked_on(later)
    before = _booked_on(earlier)
    return on is not None and before is not None and on - before > NUMBERED_ANEW


def _booked_on(bill: Bill) -> date | None:
    return bill.booking.on if bill.booking else None


def _numbers(bill: Bill) -> frozenset[str]:
    return bill.booking.numbers if bill.booking else frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Freight:
    """The cost of a parcel, by line of its orders in minor units; or why it can't be
    known.
    """

    amounts: Sequence[int]
    currency: str | None = None
    on: date | None = None
    problem: str = ""


def freight_of(together: Sequence[Bill]) -> Freight:
    """The fees of all bookings of one parcel, split over its lines by value.

    A parcel is converted at one rate, that of the day of its first booking.
    """
    lines = [line for bill in together for line in bill.lines]
    fees = {
        bill.booking.shipment_order_id: bill.booking.fee
        for bill in together
        if bill.booking
    }
    told = [fee for fee in fees.values() if fee is not None]
    currencies = {fee.currency for fee in told}
    if problem := _against(together, fees, currencies):
        return Freight(amounts=[0] * len(lines), problem=problem)
    if not fees:
        return Freight(amounts=[0] * len(lines))
    if len(bought := {bill.currency for bill in together}) > 1:
        problem = f"its parcel holds goods bought in {', '.join(sorted(bought))}"
        return Freight(amounts=[0] * len(lines), problem=problem)
    days = [bill.booking.on for bill in together if bill.booking and bill.booking.on]
    values = [max(line.goods, 0) for line in lines]
    amounts = allocate(sum(fee.minor for fee in told), values)
    return Freight(
        amounts=amounts,
        currency=currencies.pop(),
        on=min(days, default=None),
    )


NOT_BOOKED = "shipping is not booked yet, so what it costs is not known"


def _against(
    together: Sequence[Bill], fees: Mapping[str, Money | None], currencies: set[str]
) -> str:
    if not fees:
        return "" if together[0].is_over else NOT_BOOKED
    if None in fees.values():
        return "the warehouse did not show what shipping cost"
    if any(fee.minor < 0 for fee in fees.values() if fee):
        return "what shipping cost is below zero"
    if len(currencies) > 1:
        return f"the freight of its parcel was paid in {', '.join(sorted(currencies))}"
    return ""
