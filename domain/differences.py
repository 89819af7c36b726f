"""Differences between an order of the ledger and the service's, in words that say what
to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.effects import Action
from domain.marketplace import Marketplace
from domain.money import Money
from domain.service_orders import ServiceOrder, ServiceStatus
from domain.states import OrderState

NOTHING = Money(0)

OrderId = tuple[Marketplace, str]


class FindingKind(StrEnum):
    """How ledger and service differ, the most costly first."""

    SEVERAL_ORDERS = "several_orders"  # more than one live order under one reference
    ORPHAN = "orphan"  # a live order, or a refund, that the ledger doesn't know
    PAYMENT_DIFFERS = "payment_differs"  # paid, or accepted, on one side alone
    AMOUNT_DIFFERS = "amount_differs"  # also of the wallet's statement and all orders
    MISSING = "missing"  # ordered in the ledger, not to be found at the service
    STATE_DIFFERS = "state_differs"  # over on one side, alive on the other
    SHIPMENT_DIFFERS = "shipment_differs"  # another booking than ours, or none
    OPEN_QUESTION = "open_question"  # an effect whose outcome is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenEffect:
    """An effect without an outcome.

    Until `clear_at` (UTC) it may still arrive, and a later read may settle it; None
    where no read does. `asked` is what a person has to find out, with the commands that
    show it; empty for what needs no person.
    """

    action: Action
    reason: str
    clear_at: datetime | None
    asked: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerOrder:
    """What the ledger knows of one order, as far as the service can confirm it. Times
    are UTC.

    `payment_clear_at` is when an accepted payment, which does not show yet, must show
    at last. An order that another run has `in_hand` changes meanwhile: it makes no
    finding.
    """

    order_ref: str
    marketplace: Marketplace
    state: OrderState
    order_id: str = ""
    ordered_at: datetime | None = None
    total: Money | None = None
    paid: Money | None = None
    paid_at: datetime | None = None
    refunded: Money = NOTHING
    shipment_order_id: str = ""
    tracking_numbers: tuple[str, ...] = ()
    payment_clear_at: datetime | None = None
    open_effects: tuple[OpenEffect, ...] = ()
    in_hand: bool = False

    @property
    def gives_back(self) -> bool:
        """Whether its money comes or came back; of a held one as much as was
        answered.
        """
        return self.state in GIVEN_BACK or (
            self.state is OrderState.HELD and self.refunded.minor > 0
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignOrder:
    """A person's statement that an order of the account is not this ledger's, and its
    cost at that time.
    """

    marketplace: Marketplace
    order_id: str
    amount: Money
    by: str
    at: datetime

    @property
    def identity(self) -> OrderId:
        return self.marketplace, self.order_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One difference, with the `remedy` for a person.

    `order_ref` is empty for an order without a reference, `order_id` for one without an
    id.
    """

    kind: FindingKind
    expected: str
    seen: str
    remedy: str
    marketplace: Marketplace | None = None
    order_ref: str = ""
    order_id: str = ""
    expected_amount: Money | None = None
    seen_amount: Money | None = None

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What a later run recognises the finding by."""
        return self.kind, self.marketplace or "", self.order_ref, self.order_id


GIVEN_BACK = frozenset({OrderState.REFUNDING, OrderState.REFUNDED})
OVER = GIVEN_BACK | {OrderState.CANCELLED}


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
        return (
            f"closed{reason}, {order.paid} paid"
            if order.paid
            else f"closed unpaid{reason}"
        )
    if not is_paid(order):
        return f"{order.status.replace('_', ' ')}, {order.total}"
    return f"{order.status}, {order.costs} paid"


def orphan(
    marketplace: Marketplace,
    order: ServiceOrder,
    ours: LedgerOrder | None,
    foreign: ForeignOrder | None = None,
) -> Finding:
    """An order that the ledger doesn't know, or (`ours`) knows as not ordered;
    `foreign`: it cost less then.
    """
    if ours is None:
        expected = (
            f"no order of ours; {foreign.by} said so when it cost {foreign.amount}"
            if foreign
            else "no order"
        )
        remedy = (
            "find out who ordered it: another ledger or a person at the console. If it is to stay: "
            f"sourcing reconcile --not-ours {marketplace}:{order.order_id}"
        )
    else:
        expected = f"{ours.order_ref} is {ours.state}, without this order"
        answer = f"sourcing resolve {ours.order_ref} ordered {order.order_id}"
        if (
            order.total.currency == "CNY"
        ):  # a ledger that lost the order may have lost its approval too
            answer += f" --up-to {order.total.major}"
        remedy = f"if it is this order: {answer}"
    end = "ask for the money back there" if is_paid(order) else "cancel it there"
    return Finding(
        kind=FindingKind.ORPHAN,
        marketplace=marketplace,
        order_ref=ours.order_ref if ours else next(iter(order.names), ""),
        order_id=order.order_id,
        expected=expected,
        seen=standing(order),
        remedy=f"{remedy}. If it is not wanted, {end}",
        seen_amount=order.costs,
    )


def several(ours: LedgerOrder, orders: list[ServiceOrder]) -> Finding:
    """More than one live order under one reference."""
    listed = "; ".join(f"{order.order_id} ({standing(order)})" for order in orders)
    return _finding(
        FindingKind.SEVERAL_ORDERS,
        ours,
        expected="one order",
        seen_text=f"{len(orders)} orders under {ours.order_ref}: {listed}",
        remedy="cancel all but one at the console, paid ones by asking for the money back; then tell which is left: "
        f"sourcing resolve {ours.order_ref} ordered ORDER_ID",
    )


def missing(ours: LedgerOrder, instead: ServiceOrder | None) -> Finding:
    """The service does not show the order; it may show another one under its reference
    `instead`.
    """
    seen_text = "no such order"
    if instead is not None:
        seen_text = f"another order under this reference: {instead.order_id} ({standing(instead)})"
    return _finding(
        FindingKind.MISSING,
        ours,
        expected=f"{ours.state}, {ours.paid} paid" if ours.paid else f"{ours.state}",
        seen_text=seen_text,
        remedy="look it up in the console, and ask the service if it is not there. Don't order it again before",
        expected_amount=ours.paid or ours.total,
    )


def differences(
    ours: LedgerOrder, theirs: ServiceOrder, now: datetime, *, with_shipment: bool
) -> Iterator[Finding]:
    """At most one finding about payment, amount or state, and one about the
    shipment.
    """
    if (
        finding := _payment(ours, theirs, now)
        or _state(ours, theirs)
        or _amount(ours, theirs)
    ):
        yield finding
    if (
        with_shipment
        and ours.state not in OVER
        and theirs.status is not ServiceStatus.CLOSED
    ):
        yield from _shipment(ours, theirs)


def _payment(
    order: LedgerOrder, theirs: ServiceOrder, moment: datetime
) -> Finding | None:
    if order.paid is not None and not is_paid(theirs):
        if order.gives_back and theirs.status is ServiceStatus.CLOSED:
            return None
        return _finding(
            FindingKind.PAYMENT_DIFFERS,
            order,
            expected=f"{order.paid} paid",
            seen_text=standing(theirs),
            remedy="look in the wallet's statement whether the money left or came back, and ask the service",
            expected_amount=order.paid,
        )
    if order.paid is None and is_paid(theirs):
        return _finding(
            FindingKind.PAYMENT_DIFFERS,
            order,
            expected=f"{order.state}, not paid",
            seen_text=standing(theirs),
            remedy=_of_unrecorded(order),
            seen_amount=theirs.costs,
        )
    return _dropped(order, theirs, moment)


def _of_unrecorded(order: LedgerOrder) -> str:
    if order.state is OrderState.CANCELLED:
        return f"ask for the money back: sourcing refund {order.order_ref}, or at the console"
    return "run its request file again: that records the payment and books. If it was not paid by hand, ask the service"


def _dropped(
    order: LedgerOrder, theirs: ServiceOrder, moment: datetime
) -> Finding | None:
    waits = theirs.status in (ServiceStatus.PAYMENT_PENDING, ServiceStatus.OTHER)
    if waits or is_paid(theirs) or order.payment_clear_at is None:
        return None
    closed = theirs.status is ServiceStatus.CLOSED
    if not closed and (
        order.state is not OrderState.PAYMENT_PENDING or moment < order.payment_clear_at
    ):
        return None
    if_none, then = (
        ("is missing", "") if closed else ("left", ", then run its request file again")
    )
    return _finding(
        FindingKind.PAYMENT_DIFFERS,
        order,
        expected="a payment, which the service had accepted",
        seen_text=standing(theirs),
        remedy=f"look in the wallet's statement. If no money {if_none}: "
        f"sourcing resolve {order.order_ref} not-paid{then}",
        expected_amount=order.total,
    )


def _state(order: LedgerOrder, theirs: ServiceOrder) -> Finding | None:
    if order.gives_back:
        return None
    closed = theirs.status is ServiceStatus.CLOSED
    if closed is not (order.state is OrderState.CANCELLED):
        remedy = _of_closed(order) if closed else _of_alive(order)
    elif theirs.status is ServiceStatus.OTHER:
        remedy = "look it up in the console: the service shows a state that this program does not know"
    else:
        return None
    return _finding(
        FindingKind.STATE_DIFFERS,
        order,
        expected=str(order.state),
        seen_text=standing(theirs),
        remedy=remedy,
    )


def _of_closed(order: LedgerOrder) -> str:
    if order.paid is not None:
        ref = order.order_ref
        return (
            f"look whether the money came back. If it did: sourcing resolve {ref} came-back AMOUNT_CNY; if not: "
            f"sourcing refund {ref}, or ask the marketplace"
        )
    return f"sourcing cancel {order.order_ref} closes it here too; to buy it after all, give it a new order_ref"


def _of_alive(order: LedgerOrder) -> str:
    if order.paid is not None:
        return f"ask for the money back: sourcing refund {order.order_ref}, or at the console"
    return f"cancel it again: sourcing cancel {order.order_ref}, or at the console; unpaid, it closes by itself"


def _amount(order: LedgerOrder, theirs: ServiceOrder) -> Finding | None:
    """A finding where the amounts differ; after a refund a marketplace may show what is
    left (not documented).
    """
    pairs = [
        (label, our, their)
        for label, our, their in (
            ("paid", order.paid, theirs.paid),
            ("total", order.total, theirs.total),
        )
        if our is not None
        and their is not None
        and their not in (our, left(our, order.refunded))
    ]
    if not pairs or (theirs.status is ServiceStatus.CLOSED and not is_paid(theirs)):
        return None
    _, our, their = pairs[0]
    remedy = (
        "look in the wallet's statement what was taken, and ask the service for the difference"
        if order.paid is not None
        else "the price changed after ordering: run its request file again; what is dearer than approved is not paid"
    )
    return _finding(
        FindingKind.AMOUNT_DIFFERS,
        order,
        expected=", ".join(f"{label} {our}" for label, our, _ in pairs),
        seen_text=", ".join(f"{label} {their}" for label, _, their in pairs),
        remedy=remedy,
        expected_amount=our,
        seen_amount=their,
    )


def left(amount: Money, refunded: Money) -> Money:
    return amount - refunded if amount.currency == refunded.currency else amount


def _shipment(order: LedgerOrder, theirs: ServiceOrder) -> Iterator[Finding]:
    expected = (
        _booking(order.shipment_order_id, order.tracking_numbers)
        if order.shipment_order_id
        else "no shipment"
    )
    seen_text = ", ".join(
        _booking(shipment.shipment_order_id, shipment.tracking_numbers)
        for shipment in theirs.shipments
    )
    if _same_shipment(order, theirs):
        return
    remedy = "ask the warehouse which one counts, and have the others cancelled"
    if not theirs.shipments:
        seen_text = "no shipment on the order"
        remedy = "ask the warehouse for it; don't book again before it says no"
    elif not order.shipment_order_id:
        remedy = "run its request file again, which records it; if it was not yours, ask the warehouse"
    elif {shipment.shipment_order_id for shipment in theirs.shipments} == {
        order.shipment_order_id
    }:
        remedy = "tracking takes its new numbers; where they still differ then, ask the warehouse which count"
    yield _finding(
        FindingKind.SHIPMENT_DIFFERS,
        order,
        expected=expected,
        seen_text=seen_text,
        remedy=remedy,
    )


def _same_shipment(order: LedgerOrder, theirs: ServiceOrder) -> bool:
    """Numbers that are not shown yet don't contradict those that the booking
    answered.
    """
    if not theirs.shipments:
        return not order.shipment_order_id
    shipment = theirs.shipments[0]
    numbers = set(shipment.tracking_numbers)
    same_numbers = not numbers or numbers == set(order.tracking_numbers)
    return (
        len(theirs.shipments) == 1
        and shipment.shipment_order_id == order.shipment_order_id
        and same_numbers
    )


def _booking(shipment_order_id: str, numbers: tuple[str, ...]) -> str:
    return (
        f"{shipment_order_id} ({', '.join(numbers)})" if numbers else shipment_order_id
    )


def questions(ours: LedgerOrder, now: datetime) -> Iterator[Finding]:
    """One finding for each effect whose outcome is not known."""
    for effect in ours.open_effects:
        if effect.asked:
            yield _finding(
                FindingKind.OPEN_QUESTION,
                ours,
                expected=f"an answer to {effect.action}",
                seen_text=effect.reason or "nothing is known of it",
                remedy=_settled_by(effect, now),
            )


def _settled_by(effect: OpenEffect, moment: datetime) -> str:
    if effect.clear_at and moment < effect.clear_at:
        return f"run sourcing reconcile again after {effect.clear_at:%Y-%m-%d %H:%M} UTC: then reading settles it"
    return effect.asked


def _finding(
    kind: FindingKind,
    order: LedgerOrder,
    *,
    expected: str,
    seen_text: str,
    remedy: str,
    expected_amount: Money | None = None,
    seen_amount: Money | None = None,
) -> Finding:
    return Finding(
        kind=kind,
        marketplace=order.marketplace,
        order_ref=order.order_ref,
        order_id=order.order_id,
        expected=expected,
        seen=seen_text,
        remedy=remedy,
        expected_amount=expected_amount,
        seen_amount=seen_amount,
    )
