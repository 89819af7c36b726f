"""Ledger against service: which orders belong together, and what differs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from connectors.ledger.records import OrderRecord
from domain.findings import (
    UNSETTLED,
    Finding,
    FindingKind,
    ForeignOrder,
    OrderId,
    ranked,
)
from domain.marketplace import Marketplace
from domain.money import Money
from domain.service_orders import ServiceOrder, ServiceStatus
from domain.states import OrderState

GIVEN_BACK = frozenset({OrderState.REFUNDING, OrderState.REFUNDED})
OVER = GIVEN_BACK | {OrderState.CANCELLED}

Shown = Mapping[Marketplace, Mapping[str, ServiceOrder]]
"""The orders that marketplaces show, by their ids; an unreadable marketplace is absent,
and its orders are not judged.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerSide:
    """The ledger's orders, and what is open about them.

    `shows_by` has when an accepted payment, which does not show yet, must show at last.
    Orders that another run has `in_hand` change meanwhile: they make no finding.
    `questions` are about effects whose outcome is not known.
    """

    orders: Sequence[OrderRecord]
    shows_by: Mapping[str, datetime] = field(default_factory=dict)
    in_hand: Collection[str] = ()
    questions: Sequence[Finding] = ()
    foreign: Mapping[OrderId, ForeignOrder] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Comparison:
    """Findings, the most costly kind first. `notes` say what could not be compared;
    `in_hand` orders were left out.
    """

    findings: Sequence[Finding]
    notes: Sequence[str]
    compared: int
    in_hand: int


def compare(
    ledger: LedgerSide,
    shown: Shown,
    *,
    whole: Collection[Marketplace] = tuple(Marketplace),
    since: datetime,
    now: datetime,
    unread: Collection[OrderId] = (),
) -> Comparison:
    """Compare the ledger's orders with those shown.

    An order from before `since` counts only when it is shown: the lists don't reach
    back to it, so its absence means nothing. A younger one must be shown where the list
    is `whole`, unless it is left `unread`. Orders that a person declared foreign are no
    orphans as long as the ledger has nothing under their reference and they cost no
    more than they did then.
    """
    pairs = [
        (order, theirs) for order in ledger.orders if (theirs := shown_of(order, shown))
    ]
    absent = [
        order
        for order in ledger.orders
        if order.marketplace in whole
        and _is_absent(order, shown, since)
        and (order.marketplace, order.order_id) not in unread
    ]
    silent = _silent_about_shipments(pairs)
    findings = [*_unknown_here(ledger, shown), *map(_missing, absent)]
    for order, theirs in pairs:
        findings += differences(
            order,
            theirs,
            shows_by=ledger.shows_by.get(order.order_ref),
            now=now,
            with_shipment=order.marketplace not in silent,
        )
    findings += ledger.questions
    marked = sum(order_id in shown.get(name, ()) for name, order_id in ledger.foreign)
    return Comparison(
        findings=ranked(
            finding for finding in findings if finding.order_ref not in ledger.in_hand
        ),
        notes=[
            *([f"marked as not ours: {marked:,}"] if marked else []),
            *(
                f"{name}: no order shows a shipment there, so bookings were not compared"
                for name in silent
            ),
        ],
        compared=len(pairs) + len(absent),
        in_hand=sum(order.order_ref in ledger.in_hand for order in ledger.orders),
    )


def to_look_up(
    orders: Sequence[OrderRecord], shown: Shown, *, since: datetime
) -> list[OrderRecord]:
    """Orders to be read by their id: not in a list that should have them, or unsettled
    or paid since, and older.
    """
    return [
        order
        for order in orders
        if order.order_id
        and order.marketplace in shown
        and not shown_of(order, shown)
        and (
            _is_absent(order, shown, since)
            or order.state in UNSETTLED
            or _is_paid_late(order, since)
        )
    ]


def shown_of(order: OrderRecord, shown: Shown) -> ServiceOrder | None:
    """The order as its marketplace shows it."""
    return shown.get(order.marketplace, {}).get(order.order_id or "")


def _is_paid_late(order: OrderRecord, since: datetime) -> bool:
    is_old = order.ordered_at is not None and order.ordered_at < since
    is_paid_since = order.paid_at is not None and order.paid_at >= since
    return is_old and is_paid_since and order.state not in OVER


def _is_absent(order: OrderRecord, shown: Shown, since: datetime) -> bool:
    """Whether the service has to show this order and does not; one that came to nothing
    may be gone there.
    """
    came_to_nothing = order.state is OrderState.REFUNDED or (
        order.state in OVER and order.paid_minor is None
    )
    is_listed = order.ordered_at is not None and order.ordered_at >= since
    return (
        bool(order.order_id)
        and order.marketplace in shown
        and is_listed
        and not came_to_nothing
        and not shown_of(order, shown)
    )


def _silent_about_shipments(
    pairs: Sequence[tuple[OrderRecord, ServiceOrder]],
) -> list[Marketplace]:
    """Marketplaces where none of several booked orders shows its booking: that orders
    show it is assumed (contract).
    """
    shows: defaultdict[Marketplace, list[bool]] = defaultdict(list)
    for order, theirs in pairs:
        if order.shipment_order_id and not _is_over(order, theirs):
            shows[order.marketplace].append(bool(theirs.shipments))
    return [name for name, booked in shows.items() if len(booked) > 1 > sum(booked)]


def _is_over(order: OrderRecord, theirs: ServiceOrder) -> bool:
    return order.state in OVER or theirs.status is ServiceStatus.CLOSED


def _unknown_here(ledger: LedgerSide, shown: Shown) -> Iterator[Finding]:
    """Live orders that the ledger has no id of, and references with several."""
    ours = {(order.marketplace, order.order_ref): order for order in ledger.orders}
    ids = {(order.marketplace, order.order_id) for order in ledger.orders}
    live: defaultdict[OrderId, list[ServiceOrder]] = defaultdict(list)
    for name, listed in shown.items():
        for theirs in filter(is_live, listed.values()):
            refs = [ref for ref in theirs.names if (name, ref) in ours]
            live[name, [*refs, *theirs.names, ""][0]].append(theirs)
    for (name, ref), alike in live.items():
        order = ours.get((name, ref))
        if order and len(alike) > 1:
            yield _several(order, alike)
            continue
        for theirs in alike:
            foreign = ledger.foreign.get((name, theirs.order_id))
            is_foreign = foreign and not order and _costs_no_more(theirs, foreign)
            if (name, theirs.order_id) not in ids and not is_foreign:
                yield _orphan(name, theirs, order, foreign)


def _costs_no_more(theirs: ServiceOrder, foreign: ForeignOrder) -> bool:
    is_same_currency = theirs.costs.currency == foreign.amount.currency
    return is_same_currency and theirs.costs <= foreign.amount


def _several(order: OrderRecord, listed: Sequence[ServiceOrder]) -> Finding:
    """More than one live order under one reference."""
    words = "; ".join(f"{theirs.order_id} ({standing(theirs)})" for theirs in listed)
    return finding_of(
        FindingKind.SEVERAL_ORDERS,
        order,
        expected="one order",
        seen=f"{len(listed)} orders under {order.order_ref}: {words}",
        remedy="cancel all but one at the console, paid ones by asking for the money back; then tell which is left: "
        f"sourcing resolve {order.order_ref} ordered ORDER_ID",
    )


def _orphan(
    marketplace: Marketplace,
    theirs: ServiceOrder,
    order: OrderRecord | None,
    foreign: ForeignOrder | None,
) -> Finding:
    """An order that the ledger doesn't know, or has as not ordered; `foreign`: it cost
    less then.
    """
    expected = "no order"
    remedy = (
        "find out who ordered it: another ledger or a person at the console. If it is to stay: "
        f"sourcing reconcile --not-ours {marketplace}:{theirs.order_id}"
    )
    if order:
        expected = f"{order.order_ref} is {order.state}, without this order"
        remedy = f"if it is this order: sourcing resolve {order.order_ref} ordered {theirs.order_id}"
        if theirs.total.currency == "CNY":
            # a ledger that lost the order may have lost its approval too
            remedy += f" --up-to {theirs.total.major}"
    elif foreign:
        expected += f" of ours; {foreign.by} said so when it cost {foreign.amount}"
    end = "ask for the money back there" if is_paid(theirs) else "cancel it there"
    return Finding(
        kind=FindingKind.ORPHAN,
        marketplace=marketplace,
        order_ref=order.order_ref if order else "".join(theirs.names[:1]),
        order_id=theirs.order_id,
        expected=expected,
        seen=standing(theirs),
        remedy=f"{remedy}. If it is not wanted, {end}",
        seen_amount=theirs.costs,
    )


def _missing(order: OrderRecord) -> Finding:
    """The service does not show the order."""
    paid = f", {order.paid} paid" if order.paid_minor is not None else ""
    return finding_of(
        FindingKind.MISSING,
        order,
        expected=f"{order.state}{paid}",
        seen="no such order",
        remedy="look it up in the console, and ask the service if it is not there. Don't order it again before",
        expected_amount=order.paid if paid else _total(order),
    )


def differences(
    order: OrderRecord,
    theirs: ServiceOrder,
    *,
    shows_by: datetime | None = None,
    now: datetime,
    with_shipment: bool = True,
) -> Iterator[Finding]:
    """At most one finding about payment, amount or state, and one about the
    shipment.
    """
    finding = (
        _payment(order, theirs)
        or _dropped_payment(order, theirs, shows_by, now)
        or _state(order, theirs)
        or _amount(order, theirs)
    )
    if finding:
        yield finding
    if with_shipment and not _is_over(order, theirs):
        yield from _shipment(order, theirs)


def gives_back(order: OrderRecord) -> bool:
    """Whether its money comes or came back; of a held one as much as was answered."""
    return order.state in GIVEN_BACK or (
        order.state is OrderState.HELD and order.refunded.minor > 0
    )


def _payment(order: OrderRecord, theirs: ServiceOrder) -> Finding | None:
    is_ours_paid = order.paid_minor is not None
    is_closed = theirs.status is ServiceStatus.CLOSED
    if is_ours_paid == is_paid(theirs) or (
        is_ours_paid and is_closed and gives_back(order)
    ):
        return None
    remedy = "run its request file again: that records the payment and books. If it was not paid by hand, ask the service"
    if is_ours_paid:
        remedy = "look in the wallet's statement whether the money left or came back, and ask the service"
    elif order.state is OrderState.CANCELLED:
        remedy = _ask_back(order)
    return finding_of(
        FindingKind.PAYMENT_DIFFERS,
        order,
        expected=f"{order.paid} paid" if is_ours_paid else f"{order.state}, not paid",
        seen=standing(theirs),
        remedy=remedy,
        expected_amount=order.paid if is_ours_paid else None,
        seen_amount=None if is_ours_paid else theirs.costs,
    )


def _ask_back(order: OrderRecord) -> str:
    return (
        f"ask for the money back: sourcing refund {order.order_ref}, or at the console"
    )


def _dropped_payment(
    order: OrderRecord, theirs: ServiceOrder, shows_by: datetime | None, now: datetime
) -> Finding | None:
    """An accepted payment of which nothing shows in time, or whose order closed."""
    waits = theirs.status in (ServiceStatus.PAYMENT_PENDING, ServiceStatus.OTHER)
    if shows_by is None or waits or is_paid(theirs):
        return None
    if_none = "is missing"
    then = ""
    if theirs.status is not ServiceStatus.CLOSED:
        if order.state is not OrderState.PAYMENT_PENDING or now < shows_by:
            return None
        if_none = "left"
        then = ", then run its request file again"
    return finding_of(
        FindingKind.PAYMENT_DIFFERS,
        order,
        expected="a payment, which the service had accepted",
        seen=standing(theirs),
        remedy=f"look in the wallet's statement. If no money {if_none}: "
        f"sourcing resolve {order.order_ref} not-paid{then}",
        expected_amount=_total(order),
    )


def _state(order: OrderRecord, theirs: ServiceOrder) -> Finding | None:
    if gives_back(order):
        return None
    ref = order.order_ref
    is_paid_here = order.paid_minor is not None
    match (theirs.status is ServiceStatus.CLOSED, order.state is OrderState.CANCELLED):
        case True, False if is_paid_here:
            remedy = (
                f"look whether the money came back. If it did: sourcing resolve {ref} came-back AMOUNT_CNY; if not: "
                f"sourcing refund {ref}, or ask the marketplace"
            )
        case True, False:
            remedy = f"sourcing cancel {ref} closes it here too; to buy it after all, give it a new order_ref"
        case False, True if is_paid_here:
            remedy = _ask_back(order)
        case False, True:
            remedy = f"cancel it again: sourcing cancel {ref}, or at the console; unpaid, it closes by itself"
        case _ if theirs.status is ServiceStatus.OTHER:
            remedy = "look it up in the console: the service shows a state that this program does not know"
        case _:
            return None
    return finding_of(
        FindingKind.STATE_DIFFERS,
        order,
        expected=str(order.state),
        seen=standing(theirs),
        remedy=remedy,
    )


def _amount(order: OrderRecord, theirs: ServiceOrder) -> Finding | None:
    """A finding where the amounts differ; after a refund a marketplace may show what is
    left (not documented).
    """
    is_ours_paid = order.paid_minor is not None
    sides = {
        "paid": (order.paid if is_ours_paid else None, theirs.paid),
        "total": (_total(order), theirs.total),
    }
    differing = {
        name: (here, there)
        for name, (here, there) in sides.items()
        if here and there and there not in (here, here - order.refunded)
    }
    is_closed_unpaid = theirs.status is ServiceStatus.CLOSED and not is_paid(theirs)
    if not differing or is_closed_unpaid:
        return None
    expected_amount, seen_amount = next(iter(differing.values()))
    remedy = "the price changed after ordering: run its request file again; what is dearer than approved is not paid"
    if is_ours_paid:
        remedy = "look in the wallet's statement what was taken, and ask the service for the difference"
    return finding_of(
        FindingKind.AMOUNT_DIFFERS,
        order,
        expected=", ".join(f"{name} {here}" for name, (here, _) in differing.items()),
        seen=", ".join(f"{name} {there}" for name, (_, there) in differing.items()),
        remedy=remedy,
        expected_amount=expected_amount,
        seen_amount=seen_amount,
    )


def _total(order: OrderRecord) -> Money | None:
    if order.total_minor is None:
        return None
    return Money(order.total_minor, order.currency)


def _shipment(order: OrderRecord, theirs: ServiceOrder) -> Iterator[Finding]:
    """Numbers that are not shown yet don't contradict those that the booking
    answered.
    """
    numbers = {
        number for shipment in theirs.shipments for number in shipment.tracking_numbers
    }
    ids = [shipment.shipment_order_id for shipment in theirs.shipments]
    is_same_id = ids == [*filter(None, [order.shipment_order_id])]
    if is_same_id and numbers in (set(), {*order.tracking_numbers}):
        return
    remedy = "ask the warehouse which one counts, and have the others cancelled"
    if not ids:
        remedy = "ask the warehouse for it; don't book again before it says no"
    elif not order.shipment_order_id:
        remedy = "run its request file again, which records it; if it was not yours, ask the warehouse"
    elif is_same_id:
        remedy = "tracking takes its new numbers; where they still differ then, ask the warehouse which count"
    yield finding_of(
        FindingKind.SHIPMENT_DIFFERS,
        order,
        expected=_booking(order.shipment_order_id, order.tracking_numbers),
        seen=", ".join(
            _booking(shipment.shipment_order_id, shipment.tracking_numbers)
            for shipment in theirs.shipments
        )
        or "no shipment on the order",
        remedy=remedy,
    )


def _booking(shipment_order_id: str | None, numbers: Sequence[str]) -> str:
    named = f" ({', '.join(numbers)})" if numbers else ""
    return f"{shipment_order_id or 'no shipment'}{named}"


def finding_of(
    kind: FindingKind,
    order: OrderRecord,
    *,
    expected: str,
    seen: str,
    remedy: str,
    expected_amount: Money | None = None,
    seen_amount: Money | None = None,
) -> Finding:
    return Finding(
        kind=kind,
        marketplace=order.marketplace,
        order_ref=order.order_ref,
        order_id=order.order_id or "",
        expected=expected,
        seen=seen,
        remedy=remedy,
        expected_amount=expected_amount,
        seen_amount=seen_amount,
    )


def is_paid(order: ServiceOrder) -> bool:
    """Whether money was taken for the order, also when it was closed since."""
    return order.status.is_paid or order.paid is not None


def is_live(order: ServiceOrder) -> bool:
    """Whether the order costs or may cost money."""
    return order.status is not ServiceStatus.CLOSED or is_paid(order)


def standing(order: ServiceOrder) -> str:
    """What the service shows, in a few words."""
    if order.status is ServiceStatus.CLOSED:
        reason = f" ({order.close_reason})" if order.close_reason else ""
        if order.paid:
            return f"closed{reason}, {order.paid} paid"
        return f"closed unpaid{reason}"
    if not is_paid(order):
        return f"{order.status.replace('_', ' ')}, {order.total}"
    return f"{order.status}, {order.costs} paid"
