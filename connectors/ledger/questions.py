"""What waits for a person's approval in a batch, a hash of it, and the one transaction
that takes the answer.

Two answers to one question meet here: the first ends it, and the second finds another
hash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, or_

from connectors.book_file import rates_of
from connectors.ledger.order_mover import OrderMover
from connectors.ledger.order_update import NOTHING, OrderUpdate
from connectors.ledger.plans import approval_columns, last_move, plan_hash
from connectors.ledger.records import (
    ORDERS,
    OrderChange,
    OrderRecord,
    approval_of,
    freight_approval,
    order_records,
)
from connectors.ledger.schema import moves, orders
from connectors.ledger.transactions import Transactions, repeating
from connectors.settings import SourcingSettings
from domain.holds import waits_for_approval
from domain.landed import Rate
from domain.money import Money
from domain.plan import PlanSummary
from domain.reasons import Reason, ReasonCode
from domain.states import OrderState

_CODE = moves.c.reason_code
_ANSWERED = _CODE.in_(
    (
        ReasonCode.APPROVED,
        ReasonCode.FREIGHT_APPROVED,
        ReasonCode.NOT_APPROVED,
        ReasonCode.NOT_WANTED,
        ReasonCode.WANTED_BACK,
    )
)
_WAITS = (
    orders.c.state == OrderState.HELD,
    orders.c.plan_hash.is_(None),
    orders.c.shipment_order_id.is_(None),
    or_(
        orders.c.reason_code == ReasonCode.WAITS_FOR_APPROVAL,
        orders.c.order_id.is_not(None),
    ),
    last_move(_CODE == ReasonCode.WAITS_FOR_APPROVAL) > last_move(_ANSWERED),
)
_WAITING = ORDERS.where(orders.c.batch_id == bindparam("batch"), *_WAITS).order_by(
    orders.c.order_ref
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A person's answer to a question: which of its orders are `approved`, by whom, and
    the reason of the others.
    """

    approved: Collection[str]
    by: str
    no: Reason


def waiting_refs(ledger: Transactions, batch_id: str) -> list[str]:
    """The orders of a batch that a person is asked about."""
    return [order.order_ref for order in _waiting(ledger, batch_id)]


def question_hash(
    ledger: Transactions, batch_id: str, settings: SourcingSettings
) -> str:
    """The hash of what a person is asked about: goods, receivers, amounts, freight, and
    the rates at which they are added up. Empty where nothing waits.
    """
    return _hash_of(_waiting(ledger, batch_id), settings, ledger.clock())


def _waiting(ledger: Transactions, batch_id: str) -> Collection[OrderRecord]:
    with ledger.reading() as connection:
        return order_records(connection, _WAITING, {"batch": batch_id}).values()


@repeating
def take_answer(
    ledger: Transactions,
    batch_id: str,
    shown_hash: str,
    settings: SourcingSettings,
    answer: Answer,
) -> bool:
    """Record an answer, for all orders of its question or for none. Return whether the
    question still stood as it was shown.
    """
    now = ledger.clock()
    batch = {"batch": batch_id}
    with ledger.transaction() as connection:
        # this locks the orders: another answer, or another plan, is seen below or waits
        # for this commit
        mover = OrderMover(
            ledger, connection, order_records(connection, _WAITING, batch)
        )
        waiting = order_records(connection, _WAITING, batch).values()
        if not waiting or _hash_of(waiting, settings, now) != shown_hash:
            return False
        for order in waiting:
            for change in _changes(order, answer, settings, now):
                mover.change(change)
        mover.write()
    return True


def _hash_of(
    waiting: Collection[OrderRecord], settings: SourcingSettings, now: datetime
) -> str:
    if not waiting:
        return ""
    hashes = [_order_hash(order) for order in waiting]
    into = settings.currency or "CNY"
    currencies = {order.currency for order in waiting}
    currencies |= {order.freight_currency or into for order in waiting}
    today = now.astimezone(ZoneInfo(settings.timezone)).date()
    rates = rates_of(settings)
    found = [
        rates.at(currency, into, today) for currency in sorted(currencies - {into})
    ]
    hashes += [str(rate) for rate in found if isinstance(rate, Rate)]
    return _digest(hashes)[:16]


def _order_hash(order: OrderRecord) -> str:
    """The hash of what a person approves of one order.

    Any news of one that was begun makes another question of it.
    """
    content = [order.order_ref, plan_hash(order.plan), str(_freight_of(order))]
    if order.order_id is not None:
        content += [
            str(order.approved_minor),
            str(order.total_minor),
            str(order.paid_minor),
            str(order.updated_at),
        ]
    return _digest(content)


def _digest(content: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _freight_of(order: OrderRecord) -> Money | None:
    """The freight that a yes allows: of a begun order as it was asked about, else of
    the planned service.
    """
    if order.order_id is not None:
        return Money(order.freight_minor or 0, order.freight_currency or "CNY")
    chosen = order.chosen_freight
    return chosen.price if chosen else None


def _changes(
    order: OrderRecord, answer: Answer, settings: SourcingSettings, now: datetime
) -> list[OrderChange]:
    ref = order.order_ref
    is_begun = order.order_id is not None
    if ref not in answer.approved:
        no = answer.no.but(freight=True) if is_begun else answer.no
        is_asking = order.reason_code is ReasonCode.WAITS_FOR_APPROVAL
        return holding(ref, no, order.why, stays=is_begun and not is_asking)
    summary = PlanSummary(
        order_ref=ref,
        plan_hash=plan_hash(order.plan),
        total=order.plan.total,
        freight=_freight_of(order),
        is_fine=True,
    )
    approval = approval_of(summary, answer.by, now)
    if not is_begun:
        columns = approval_columns(approval, settings.price_tolerance_percent)
        return [_goes_on(ref, OrderState.PLANNED, approval.why, OrderUpdate(columns))]
    price = summary.freight or Money(0)
    taken = order.paid if order.is_overpaid else None
    writes = OrderUpdate.freight_approved(price=price)
    writes |= OrderUpdate.approved(amount=taken) if taken else NOTHING
    writes |= OrderUpdate.plan_approved(summary.plan_hash)
    if order.paid_minor is None:
        return [_goes_on(ref, OrderState.ORDERED, approval.why, writes)]
    why = freight_approval(price, taken, answer.by, now)
    return [_goes_on(ref, OrderState.PAID, why, writes)]


def _goes_on(
    ref: str, state: OrderState, reason: Reason, writes: OrderUpdate
) -> OrderChange:
    return OrderChange(order_ref=ref, state=state, why=reason, writes=writes)


def holding(
    ref: str, why: Reason, before: Reason | None, *, stays: bool
) -> list[OrderChange]:
    """The order held with this reason; where the one `before` outranks it, that stands
    again (`stays`), and the trail has both.
    """
    held = OrderChange(
        order_ref=ref,
        state=OrderState.HELD,
        why=why,
        writes=OrderUpdate.approval_withdrawn(),
    )
    order_change = OrderChange(order_ref=ref, state=OrderState.HELD, why=before)
    return [held, order_change] if stays else [held]


def asking(order: OrderRecord, freight: Money) -> list[OrderChange]:
    """A begun order held until a person approves this freight; what outranks that stays
    its reason.
    """
    is_paid = order.paid_minor is not None
    reason = waits_for_approval(freight=is_paid)
    stays = order.is_overpaid or order.knows_what_came_back
    held, *order_change = holding(order.order_ref, reason, order.why, stays=stays)
    is_voided = order.freight_currency != freight.currency
    order_update = OrderUpdate.freight_asked(price=freight, voids_approval=is_voided)
    first = replace(held, expected=order.state, writes=held.writes | order_update)
    return [first, *order_change]
