"""What waits for a person's approval in a batch, a hash of it, and the one transaction
that takes the answer.

Two answers to one question meet here: the first ends it, and the second finds another
hash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, or_, select

from connectors.book_file import rates_of
from connectors.ledger.order_mover import OrderMover
from connectors.ledger.order_update import NOTHING, OrderUpdate
from connectors.ledger.plans import (
    approval_columns,
    hash_of_row,
    last_move,
)
from connectors.ledger.records import (
    OrderChange,
    OrderRecord,
    approval_of,
    freight_approval,
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
_OF_BATCH = (orders.c.batch_id == bindparam("batch"), *_WAITS)
_WAITING = select(orders).where(*_OF_BATCH).order_by(orders.c.order_ref)
_REFS = select(orders.c.order_ref).where(*_OF_BATCH).order_by(orders.c.order_ref)


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
    return ledger.column(_REFS, batch=batch_id)


def question_hash(
    ledger: Transactions, batch_id: str, settings: SourcingSettings
) -> str:
    """The hash of what a person is asked about: goods, receivers, amounts, freight, and
    the rates at which they are added up. Empty where nothing waits.
    """
    return _hash_of(ledger.rows(_WAITING, batch=batch_id), settings, ledger)


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
    with ledger.transaction() as connection:
        # this locks the orders: another answer, or another plan, is seen below or waits
        # for this commit
        refs = connection.scalars(_REFS, {"batch": batch_id}).all()
        mover = OrderMover(ledger, connection, refs)
        waiting_rows = connection.execute(_WAITING, {"batch": batch_id}).mappings()
        rows = [dict(row) for row in waiting_rows]
        if not rows or _hash_of(rows, settings, ledger) != shown_hash:
            return False
        for row in rows:
            reason = mover.why(row["order_ref"])
            for change in _changes(row, answer, reason, settings, ledger):
                mover.change(change)
        mover.write()
    return True


def _hash_of(
    rows: Sequence[Mapping[str, Any]], settings: SourcingSettings, ledger: Transactions
) -> str:
    if not rows:
        return ""
    hashes = [_order_hash(row) for row in rows]
    currencies = {row["currency"] for row in rows}
    currencies |= {row["freight_currency"] for row in rows if row["freight_currency"]}
    into = settings.currency or "CNY"
    today = ledger.clock().astimezone(ZoneInfo(settings.timezone)).date()
    rates = rates_of(settings)
    waiting_rows = [
        rates.at(currency, into, today) for currency in sorted(currencies - {into})
    ]
    hashes += [str(rate) for rate in waiting_rows if isinstance(rate, Rate)]
    return _digest(hashes)[:16]


def _order_hash(row: Mapping[str, Any]) -> str:
    """The hash of what a person approves of one order.

    Any news of one that was begun makes another question of it.
    """
    freight = _freight_of(row)
    content = [row["order_ref"], hash_of_row(row), str(freight)]
    if row["order_id"] is not None:
        content += [
            str(row[name])
            for name in ("approved_minor", "total_minor", "paid_minor", "updated_at")
        ]
    return _digest(content)


def _digest(content: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _freight_of(row: Mapping[str, Any]) -> Money | None:
    """The freight that a yes allows: of a begun order as it was asked about, else of
    the planned service.
    """
    if row["order_id"] is not None:
        return Money(row["freight_minor"] or 0, row["freight_currency"] or "CNY")
    quote = row["freight_quote"] or {"services": ()}
    for service in quote["services"]:
        if service["service_id"] == row["freight_service"]:
            return Money(**service["price"])
    return None


def _changes(
    row: Mapping[str, Any],
    answer: Answer,
    reason: Reason | None,
    settings: SourcingSettings,
    ledger: Transactions,
) -> list[OrderChange]:
    ref = row["order_ref"]
    is_begun = row["order_id"] is not None
    if ref not in answer.approved:
        no = answer.no.but(freight=True) if is_begun else answer.no
        return holding(ref, no, reason, stays=is_begun and not _is_asking(reason))
    total = Money(**row["quote"]["total"]) if row["quote"] else Money(0)
    summary = PlanSummary(
        order_ref=ref,
        plan_hash=hash_of_row(row) or _hash_without_quote(row),
        total=total,
        freight=_freight_of(row),
        is_fine=True,
    )
    if not is_begun:
        approval = approval_of(summary, answer.by, ledger.clock())
        columns = approval_columns(approval, settings.price_tolerance_percent)
        return [_goes_on(ref, OrderState.PLANNED, approval.why, OrderUpdate(columns))]
    return [_begun_goes_on(row, summary, answer, ledger)]


def _hash_without_quote(row: Mapping[str, Any]) -> str:
    """The hash of an order that was taken over without a plan of ours."""
    return hash_of_row({**row, "quote": {"total": {"minor": 0, "currency": "CNY"}}})


def _is_asking(reason: Reason | None) -> bool:
    return reason is not None and reason.code is ReasonCode.WAITS_FOR_APPROVAL


def _begun_goes_on(
    row: Mapping[str, Any], summary: PlanSummary, answer: Answer, ledger: Transactions
) -> OrderChange:
    ref = row["order_ref"]
    payable = row["payable_minor"] or row["approved_minor"] or 0
    kept_minor = (row["paid_minor"] or 0) - (row["refunded_minor"] or 0)
    amount = Money(row["paid_minor"] or 0) if kept_minor > payable else None
    price = summary.freight or Money(0)
    reason = freight_approval(price, amount, answer.by, ledger.clock())
    if row["paid_minor"] is None:
        reason = approval_of(summary, answer.by, ledger.clock()).why
    accepted = OrderUpdate.approved(amount=amount) if amount else NOTHING
    writes = OrderUpdate.freight_approved(price=price) | accepted
    writes |= OrderUpdate.plan_approved(summary.plan_hash)
    is_paid = row["paid_minor"] is not None
    state = OrderState.PAID if is_paid else OrderState.ORDERED
    return _goes_on(ref, state, reason, writes)


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
