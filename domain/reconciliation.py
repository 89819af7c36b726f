"""Ledger against service: which orders belong together, what differs, and what both
accounts show as paid.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.differences import (
    OVER,
    Finding,
    FindingKind,
    ForeignOrder,
    LedgerOrder,
    OrderId,
    differences,
    is_live,
    is_paid,
    left,
    missing,
    orphan,
    questions,
    several,
)
from domain.marketplace import Marketplace
from domain.money import Money, total_of
from domain.service_orders import ServiceOrder, ServiceStatus
from domain.states import OrderState

CNY = "CNY"
NONE_FOREIGN: Mapping[OrderId, ForeignOrder] = {}
UNSETTLED = frozenset(
    {OrderState.ORDERED, OrderState.PAYMENT_PENDING, OrderState.UNKNOWN}
)

Shown = Mapping[Marketplace, Sequence[ServiceOrder]]
"""The orders that marketplaces show; an unreadable marketplace is absent, and its
orders are not judged.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Findings, the most costly kind first. `notes` say what could not be compared;
    `in_hand` orders were left out.
    """

    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    compared: int
    in_hand: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidSum:
    """What was paid for orders of one marketplace in one currency, by both accounts;
    refunds are not taken off.
    """

    marketplace: Marketplace
    ledger: Money
    service: Money


def compare(
    ledger: Iterable[LedgerOrder],
    shown: Shown,
    *,
    whole: Collection[Marketplace] = tuple(Marketplace),
    since: datetime,
    now: datetime,
    foreign: Mapping[OrderId, ForeignOrder] = NONE_FOREIGN,
) -> Comparison:
    """Compare the ledger's orders with those shown.

    An order from before `since` counts only when it is shown: the lists don't reach
    back to it, so its absence means nothing. A younger one must be shown where the list
    is `whole`. Orders that a person declared `foreign` are no orphans as long as the
    ledger has nothing under their reference and they cost no more than they did then.
    """
    orders = list(ledger)
    sides = _Sides(orders, shown, foreign)
    listed = {name: shown[name] for name in whole if name in shown}
    absent = [
        order
        for order in orders
        if _must_show(order, listed, since) and not sides.shown(order)
    ]
    pairs = [(order, theirs) for order in orders if (theirs := sides.shown(order))]
    silent = _silent_about_shipments(pairs)
    findings = [
        *sides.unknown_here(replaced={order.order_ref for order in absent}),
        *(missing(order, sides.replacement(order)) for order in absent),
        *(
            finding
            for order, theirs in pairs
            for finding in differences(
                order, theirs, now, with_shipment=order.marketplace not in silent
            )
        ),
        *(finding for order in orders for finding in questions(order, now)),
    ]
    in_hand = {order.order_ref for order in orders if order.in_hand}
    return Comparison(
        findings=ranked(
            finding for finding in findings if finding.order_ref not in in_hand
        ),
        notes=(
            *sides.left_out(),
            *(
                f"{name}: no order shows a shipment there, so bookings were not compared"
                for name in silent
            ),
        ),
        compared=len(pairs) + len(absent),
        in_hand=len(in_hand),
    )


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The most costly kind first."""
    ranks = {kind: rank for rank, kind in enumerate(FindingKind)}
    return tuple(
        sorted(findings, key=lambda finding: (ranks[finding.kind], *finding.identity))
    )


def to_look_up(
    ledger: Iterable[LedgerOrder], shown: Shown, *, since: datetime
) -> list[LedgerOrder]:
    """Orders to be read by their id: not in a list that should have them, or unsettled
    or paid since, and older.
    """
    orders = list(ledger)
    sides = _Sides(orders, shown)
    return [
        order
        for order in orders
        if order.order_id
        and order.marketplace in shown
        and not sides.shown(order)
        and (
            _must_show(order, shown, since)
            or order.state in UNSETTLED
            or _paid_late(order, since)
        )
    ]


def _paid_late(order: LedgerOrder, since: datetime) -> bool:
    is_old = order.ordered_at is not None and order.ordered_at < since
    return (
        is_old
        and order.paid_at is not None
        and order.paid_at >= since
        and order.state not in OVER
    )


def _must_show(order: LedgerOrder, shown: Shown, since: datetime) -> bool:
    """Whether the service has to show this order; one that came to nothing may be gone
    there.
    """
    came_to_nothing = order.state is OrderState.REFUNDED or (
        order.state in OVER and order.paid is None
    )
    in_time = order.ordered_at is not None and order.ordered_at >= since
    return (
        bool(order.order_id)
        and order.marketplace in shown
        and in_time
        and not came_to_nothing
    )


class _Sides:
    """The orders of ledger and service, found by id and by reference."""

    def __init__(
        self,
        orders: Sequence[LedgerOrder],
        shown: Shown,
        foreign: Mapping[OrderId, ForeignOrder] = NONE_FOREIGN,
    ) -> None:
        self._foreign = foreign
        self._listed = [
            (name, order) for name, listed in shown.items() for order in listed
        ]
        self._by_id = {(name, order.order_id): order for name, order in self._listed}
        self._ours = {(order.marketplace, order.order_ref): order for order in orders}
        self._our_ids = {
            (order.marketplace, order.order_id) for order in orders if order.order_id
        }
        self._live: defaultdict[tuple[Marketplace, str], list[ServiceOrder]] = (
            defaultdict(list)
        )
        for (name, _), order in self._by_id.items():
            if is_live(order):
                self._live[name, self._name_of(name, order)].append(order)

    def _name_of(self, marketplace: Marketplace, order: ServiceOrder) -> str:
        """The reference by which the order is ours, else the first that it shows."""
        names = [
            name for name in order.names if (marketplace, name) in self._ours
        ] or list(order.names)
        return names[0] if names else ""

    def shown(self, ours: LedgerOrder) -> ServiceOrder | None:
        return self._by_id.get((ours.marketplace, ours.order_id))

    def replacement(self, ours: LedgerOrder) -> ServiceOrder | None:
        """The one live order under the reference of an order that is not shown."""
        service_orders = self._live.get((ours.marketplace, ours.order_ref), [])
        return service_orders[0] if len(service_orders) == 1 else None

    def unknown_here(self, *, replaced: set[str]) -> Iterator[Finding]:
        """Live orders that the ledger has no id of, and references with several; not
        those `replaced`.
        """
        for (name, reference), orders in self._live.items():
            ledger_order = self._ours.get((name, reference)) if reference else None
            if ledger_order is not None and len(orders) > 1:
                yield several(ledger_order, orders)
                continue
            for order in orders:
                is_known = (name, order.order_id) in self._our_ids or (
                    ledger_order is not None and reference in replaced
                )
                if not is_known and not self._is_left_out(name, order):
                    yield orphan(
                        name,
                        order,
                        ledger_order,
                        self._foreign.get((name, order.order_id)),
                    )

    def left_out(self) -> Iterator[str]:
        """How many orders are no findings because a person declared them foreign."""
        names: defaultdict[str, int] = defaultdict(int)
        for (name, order_id), order in self._by_id.items():
            if is_live(order) and self._is_left_out(name, order):
                names[self._foreign[name, order_id].by] += 1
        for by, count in sorted(names.items()):
            yield f"{count} more {'orders are' if count > 1 else 'order is'} not ours, as {by} said"

    def _is_left_out(self, name: Marketplace, order: ServiceOrder) -> bool:
        foreign_order = self._foreign.get((name, order.order_id))
        if foreign_order is None or (name, self._name_of(name, order)) in self._ours:
            return False
        return (
            order.costs.currency == foreign_order.amount.currency
            and order.costs <= foreign_order.amount
        )


def _silent_about_shipments(
    pairs: Iterable[tuple[LedgerOrder, ServiceOrder]],
) -> list[Marketplace]:
    """Marketplaces where none of several booked orders shows its booking: that orders
    show it is assumed (contract).
    """
    shows: defaultdict[Marketplace, list[bool]] = defaultdict(list)
    for order, theirs in pairs:
        if (
            order.shipment_order_id
            and order.state not in OVER
            and theirs.status is not ServiceStatus.CLOSED
        ):
            shows[order.marketplace].append(bool(theirs.shipments))
    return [
        name
        for name, marketplace_shown in shows.items()
        if len(marketplace_shown) > 1 and not any(marketplace_shown)
    ]


def paid_sums(
    ledger: Iterable[LedgerOrder], shown: Shown, *, since: datetime
) -> list[PaidSum]:
    """What was paid since `since`, by marketplace and currency, of the marketplaces
    that could be read.

    A marketplace may show what is left of an order after a refund, or none that was
    refunded.
    """
    our_amounts: defaultdict[tuple[Marketplace, str], list[Money]] = defaultdict(list)
    theirs: defaultdict[tuple[Marketplace, str], list[Money]] = defaultdict(list)
    orders = [
        (order, order.paid)
        for order in ledger
        if order.paid and order.marketplace in shown
    ]
    paid = {
        (order.marketplace, order.order_id): (order, amount) for order, amount in orders
    }
    seen_amounts = {
        (name, service_order.order_id): service_order
        for name, listed in shown.items()
        for service_order in listed
        if is_paid(service_order)
    }
    for order, amount in orders:
        if _at_least(order.paid_at or order.ordered_at, since):
            our_amounts[order.marketplace, amount.currency].append(amount)
            if (
                order.gives_back
                and (order.marketplace, order.order_id) not in seen_amounts
            ):
                theirs[order.marketplace, amount.currency].append(amount)
    for identity, service_order in seen_amounts.items():
        if _at_least(service_order.paid_at or service_order.created_at, since):
            amount = service_order.costs
            if identity in paid and amount == left(
                paid[identity][1], paid[identity][0].refunded
            ):
                amount = paid[identity][1]
            theirs[identity[0], amount.currency].append(amount)
    return [
        PaidSum(
            marketplace=name,
            ledger=total_of(our_amounts[name, currency], currency),
            service=total_of(theirs[name, currency], currency),
        )
        for name, currency in sorted(our_amounts.keys() | theirs.keys())
    ]


def _at_least(moment: datetime | None, since: datetime) -> bool:
    return moment is None or moment >= since


def wallet_finding(sums: Iterable[PaidSum], left: Money) -> Finding | None:
    """A finding where the CNY that `left` the wallet are not the payments that the
    service's orders show.
    """
    paid = total_of([one.service for one in sums if one.service.currency == CNY])
    if left == paid:
        return None
    remedy = (
        "money left without an order that shows it: look for debits without an order, and for two of one order"
        if left > paid
        else "orders are paid that the statement doesn't have: is it of the whole period, and of all payments?"
    )
    return Finding(
        kind=FindingKind.AMOUNT_DIFFERS,
        expected=f"{paid}, as the orders at the service show it",
        seen=f"{left} left the wallet",
        remedy=remedy,
        expected_amount=paid,
        seen_amount=left,
    )
