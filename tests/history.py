"""What must hold between the sandbox's books, the ledger and the snapshot, whatever
crashed on the way.

The books are the truth about money. `violations` needs nothing but plain reads, so a
test may ask at any moment.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from connectors.ledger.records import EffectRecord, OrderRecord
from connectors.ledger.store import Ledger
from domain.effects import Action, EffectStatus
from domain.states import OrderState

Row = Mapping[str, Any]

OPEN = (EffectStatus.SENDING, EffectStatus.UNKNOWN)
BEGUN = (*OPEN, EffectStatus.DONE)
CLOSED = {
    "taobao": 4,
    "1688": "cancel",
    "big_major": "CANCEL",
    "international": "trade_close",
    "poizon": "CLOSED",
}


class Rule(StrEnum):
    """What is promised; each name is that of the breach."""

    PAID_AGAIN = "an order was paid more than once"
    PAID_TWICE = "two orders of one reference were paid"
    ORDERED_TWICE = "two orders of one reference are live"
    ABOVE_APPROVED = "more was paid than approved"
    FORGOTTEN_ORDER = "a live order is not in the ledger"
    FORGOTTEN_PAYMENT = "a payment is not in the ledger"
    OTHER_AMOUNT = "the ledger tells another amount than was paid"
    IMAGINED_PAYMENT = "the ledger tells a payment that was never made"
    NOT_IN_SNAPSHOT = "the snapshot does not tell a payment, or not its amount"
    WALLET = "payments and refunds are not what left the wallet"
    SHIPPED_UNPAID = "a shipment has no paid order"
    SHIPPED_TWICE = "an order was booked more than once"
    PARCEL_TWICE = "a parcel is in two shipments"
    FORGOTTEN_SHIPMENT = "a shipment is not in the ledger"
    IMAGINED_SHIPMENT = "the ledger tells a shipment that was never booked"
    OVER_BUDGET = "a batch cost more than its budget, or may"
    UNCOUNTED = "an order that may have spent counts for nothing, or the reverse"
    OVER_DAY_LIMIT = "orders begun on one day exceed the day's limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A broken promise; `what` names the order or shipment and the amounts in fen."""

    rule: Rule
    what: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"


def all_orders(ledger: Ledger) -> dict[str, OrderRecord]:
    """Every order, newest first."""
    return {order.order_ref: order for order in ledger.newest()}


def utc_day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedAmounts:
    """What was allowed, in fen: by batch, and for each day as the merchant counts days.

    With `as_paid` a paid order counts with what it took: a service that lies may have
    had more approved for it.
    """

    batches: Mapping[str, int] = field(default_factory=dict)
    day: int | None = None
    day_of: Callable[[datetime], date] = utc_day
    as_paid: bool = False


NO_LIMITS = AllowedAmounts()


def violations(
    books: Mapping[str, Any],
    orders: Mapping[str, OrderRecord],
    effects: Sequence[EffectRecord],
    *,
    snapshot: Iterable[Row] | None = None,
    limits: AllowedAmounts = NO_LIMITS,
    at_rest: bool = False,
) -> list[Violation]:
    """Every breach of a promise. `books` is the answer of `GET /_sandbox/books`,
    `snapshot` rows of table `orders`.

    While runs are at work an effect that is open, or done and not yet confirmed,
    excuses what the order's row does not tell. `at_rest` (no run at work, the last one
    ended by itself) only an open one does.
    """
    history = _History(books, orders, effects, at_rest=at_rest)
    return [
        *history.orders_are_single(),
        *history.payments_are_right(),
        *history.wallet_agrees(),
        *history.shipments_are_right(),
        *history.ledger_imagines_nothing(),
        *(history.snapshot_agrees(snapshot) if snapshot is not None else ()),
        *history.limits_hold(limits),
        *history.spending_is_counted(),
    ]


class _History:
    def __init__(
        self,
        books: Mapping[str, Any],
        orders: Mapping[str, OrderRecord],
        effects: Sequence[EffectRecord],
        *,
        at_rest: bool,
    ) -> None:
        own = {order.order_id: ref for ref, order in orders.items()}
        # an order that shows no reference is known by its id
        placed = [
            {**o, "reference": o["reference"] or own.get(o["order_id"], "")}
            for o in books["orders"]
        ]
        self.books = {**books, "orders": placed}
        self.orders = orders
        self.effects = effects
        self.excuses = OPEN if at_rest else BEGUN
        self.by_id: dict[str, Row] = {order["order_id"]: order for order in placed}
        self.under: dict[str, list[Row]] = defaultdict(list)
        for order in placed:
            self.under[order["reference"]].append(order)

    def orders_are_single(self) -> Iterator[Violation]:
        for reference, listed in self.under.items():
            if (
                len(
                    paid := [
                        order["order_id"] for order in listed if order["paid_times"]
                    ]
                )
                > 1
            ):
                yield Violation(
                    rule=Rule.PAID_TWICE, what=f"{reference}: {', '.join(paid)}"
                )
            if (
                len(live := [order["order_id"] for order in listed if _is_live(order)])
                > 1
            ):
                yield Violation(
                    rule=Rule.ORDERED_TWICE, what=f"{reference}: {', '.join(live)}"
                )
            for order in listed:
                if order["paid_times"] > 1:
                    label = (
                        f"{reference}: {order['order_id']} {order['paid_times']} times"
                    )
                    yield Violation(rule=Rule.PAID_AGAIN, what=label)
                if _is_live(order) and not self._knows(order):
                    yield Violation(
                        rule=Rule.FORGOTTEN_ORDER,
                        what=f"{reference}: {order['order_id']}",
                    )

    def payments_are_right(self) -> Iterator[Violation]:
        for order in self.books["orders"]:
            if not order["paid_times"]:
                continue
            reference = order["reference"]
            paid = order["paid_fen"]
            order_record = self.orders.get(reference)
            approved = (order_record.approved_minor or 0) if order_record else 0
            if paid > approved:
                yield Violation(
                    rule=Rule.ABOVE_APPROVED,
                    what=f"{reference}: paid {paid}, approved {approved}",
                )
            paid_minor = order_record.paid_minor if order_record else None
            came_back = order_record is not None and _came_back(order)
            if (
                paid_minor is None
                and not came_back
                and not self._has(reference, Action.PAY, self.excuses)
            ):
                yield Violation(
                    rule=Rule.FORGOTTEN_PAYMENT, what=f"{reference}: {paid}"
                )
            if paid_minor is not None and paid_minor != paid:
                yield Violation(
                    rule=Rule.OTHER_AMOUNT,
                    what=f"{reference}: paid {paid}, ledger {paid_minor}",
                )

    def wallet_agrees(self) -> Iterator[Violation]:
        """A payment without a source is one from the wallet."""
        wallet = self.books["wallet"]
        paid = sum(
            p["amount_fen"]
            for p in self.books["payments"]
            if p.get("source", "wallet") == "wallet"
        )
        back = sum(order.get("refunded_fen", 0) for order in self.books["orders"])
        remaining = wallet["opening_fen"] - wallet["balance_fen"]
        if remaining != paid - back:
            yield Violation(
                rule=Rule.WALLET,
                what=f"{remaining} left the wallet, paid {paid}, refunded {back}",
            )

    def shipments_are_right(self) -> Iterator[Violation]:
        bookings = Counter(
            shipment["tmall_order_id"] for shipment in self.books["shipments"]
        )
        for order_id, times in bookings.items():
            if times > 1:
                yield Violation(
                    rule=Rule.SHIPPED_TWICE, what=f"order {order_id}: {times} shipments"
                )
        parcels: dict[str, str] = {}
        for shipment in self.books["shipments"]:
            shipment_id = shipment["order_id"]
            order = self.by_id.get(shipment["tmall_order_id"])
            if order is None or not order["paid_times"]:
                label = f"shipment {shipment_id} of order {shipment['tmall_order_id']}"
                yield Violation(rule=Rule.SHIPPED_UNPAID, what=label)
            elif not self._knows_shipment(order["reference"], shipment_id):
                yield Violation(
                    rule=Rule.FORGOTTEN_SHIPMENT,
                    what=f"{order['reference']}: {shipment_id}",
                )
            for number in shipment["tracking_numbers"]:
                if parcels.setdefault(number, shipment_id) != shipment_id:
                    label = f"parcel {number}: {parcels[number]}, {shipment_id}"
                    yield Violation(rule=Rule.PARCEL_TWICE, what=label)

    def ledger_imagines_nothing(self) -> Iterator[Violation]:
        shipments = {shipment["order_id"] for shipment in self.books["shipments"]}
        for reference, order in self.orders.items():
            if order.paid_minor is not None and not any(
                o["paid_times"] for o in self.under.get(reference, ())
            ):
                yield Violation(
                    rule=Rule.IMAGINED_PAYMENT, what=f"{reference}: {order.paid_minor}"
                )
            if (
                order.shipment_order_id is not None
                and order.shipment_order_id not in shipments
            ):
                yield Violation(
                    rule=Rule.IMAGINED_SHIPMENT,
                    what=f"{reference}: {order.shipment_order_id}",
                )

    def snapshot_agrees(self, snapshot: Iterable[Row]) -> Iterator[Violation]:
        record = {row["order_ref"]: row["paid_minor"] for row in snapshot}
        for order in self.books["orders"]:
            reference = order["reference"]
            paid = order["paid_fen"]
            open_still = self._has(reference, Action.PAY, OPEN)
            came_back = record.get(reference) in (None, 0) and _came_back(order)
            if (
                order["paid_times"]
                and record.get(reference) != paid
                and not open_still
                and not came_back
            ):
                label = f"{reference}: paid {paid}, snapshot {record.get(reference)}"
                yield Violation(rule=Rule.NOT_IN_SNAPSHOT, what=label)

    def limits_hold(self, limits: AllowedAmounts) -> Iterator[Violation]:
        started = {
            e.order_ref for e in self.effects if _may_spend(e)
        } - self._closed_unpaid()
        for batch_id, limit in limits.batches.items():
            batch = [
                order for order in self.orders.values() if order.batch_id == batch_id
            ]
            paid = sum(
                item["paid_fen"]
                for order in batch
                for item in self.under.get(order.order_ref, ())
            )
            result = sum(
                self._outlay(order, limits)
                for order in batch
                if order.order_ref in started
            )
            if max(paid, result) > limit:
                label = (
                    f"batch {batch_id}: paid {paid}, begun {result}, allowed {limit}"
                )
                yield Violation(rule=Rule.OVER_BUDGET, what=label)
        if limits.day is not None:
            days: Counter[date] = Counter()
            creates = {
                e.order_ref: limits.day_of(e.intent_at)
                for e in self.effects
                if _creates(e)
            }
            for reference in creates.keys() & started:
                day = creates[reference]
                days[day] += self._outlay(self.orders[reference], limits)
            for day, result in days.items():
                if result > limits.day:
                    yield Violation(
                        rule=Rule.OVER_DAY_LIMIT,
                        what=f"{day}: begun {result}, allowed {limits.day}",
                    )

    def spending_is_counted(self) -> Iterator[Violation]:
        started = {e.order_ref for e in self.effects if _may_spend(e)}
        for order in self.orders.values():
            if (order.spent_at is not None) != (order.order_ref in started):
                label = f"{order.order_ref}: counted since {order.spent_at}"
                yield Violation(rule=Rule.UNCOUNTED, what=label)

    def _outlay(self, order: OrderRecord, limits: AllowedAmounts) -> int:
        paid = sum(item["paid_fen"] for item in self.under.get(order.order_ref, ()))
        return (limits.as_paid and paid) or order.approved_minor or 0

    def _closed_unpaid(self) -> set[str]:
        """Orders that were cancelled before any payment was begun: nobody pays them any
        more.
        """
        paying = {
            e.order_ref
            for e in self.effects
            if e.action is Action.PAY and _may_spend(e)
        }
        return {
            ref
            for ref, order in self.orders.items()
            if order.state is OrderState.CANCELLED
        } - paying

    def _knows(self, order: Row) -> bool:
        reference = order["reference"]
        order_id = order["order_id"]
        order_record = self.orders.get(reference)
        if order_record is not None and order_record.order_id == order_id:
            return True
        creates = [
            e
            for e in self.effects
            if e.order_ref == reference and e.action is Action.CREATE
        ]
        return any(
            e.status in OPEN or order_id in (e.answer or {}).get("order_ids", ())
            for e in creates
        )

    def _knows_shipment(self, reference: str, shipment_id: str) -> bool:
        order = self.orders.get(reference)
        if order is not None and order.shipment_order_id == shipment_id:
            return True
        booked = [
            e
            for e in self.effects
            if e.order_ref == reference and e.action is Action.BOOK
        ]
        return any(
            e.status in self.excuses or "repeats" in (e.answer or {}) for e in booked
        )

    def _has(
        self, reference: str, action: Action, statuses: Sequence[EffectStatus]
    ) -> bool:
        return any(
            e.order_ref == reference and e.action is action and e.status in statuses
            for e in self.effects
        )


def _came_back(order: Row) -> bool:
    """Whether all of a submission came back before the order was ever shown as paid."""
    return bool(order["paid_fen"] == order.get("refunded_fen", 0))


def _is_live(order: Row) -> bool:
    """Not closed unpaid; an order that was paid stays one that was bought."""
    return bool(order["paid_times"]) or order["status"] != CLOSED[order["marketplace"]]


def _may_spend(effect: EffectRecord) -> bool:
    return effect.action in (Action.CREATE, Action.PAY) and effect.status in BEGUN


def _creates(effect: EffectRecord) -> bool:
    return effect.action is Action.CREATE and effect.status in BEGUN
