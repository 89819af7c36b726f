"""What is spent or may be, and whether there is room for more.

An order whose create or pay may have happened counts: with what was paid for it, or else with the most that may still
be. One that was cancelled, with no payment that was ever begun, counts no more. What came back frees its batch, whose
budget says what the goods may cost, and never its day, whose limit says how much may leave in one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, case, exists, func, select

from connectors.ledger.many import one_of
from connectors.ledger.records import Intent, SpendLimits
from connectors.ledger.schema import effects, orders
from domain.budget import Limits, over_budget
from domain.effects import Action, EffectStatus
from domain.money import Money
from domain.states import OrderState

SPENDING_LOCK = 7_307_422
# What may have left counts while nobody knows: an effect in doubt that counted for nothing would be spent twice.
COUNTS_AS_SPENT = (EffectStatus.SENDING, EffectStatus.UNKNOWN, EffectStatus.DONE)


def without_room(
    connection: Connection, intents: Sequence[Intent], limits: SpendLimits, now: datetime
) -> dict[str, str]:
    """Why some of these orders may not be created or paid, by `order_ref`.

    Runs are let in one by one, each until it commits. An order that the day has counted already, as one that is paid
    on the day of its creation, is not counted again.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(SPENDING_LOCK)))
    day_start = limits.day_start(now)
    spent = Limits(
        batch=limits.batch,
        day=limits.day,
        batch_spent=Money(batch_total(connection, limits.batch_id)),
        day_spent=Money(day_total(connection, day_start)),
    )
    refs = [intent.order_ref for intent in intents]
    most = dict(connection.execute(_MOST, {"refs": refs}).all())
    counted = set(connection.scalars(_COUNTED, {"refs": refs, "since": day_start}))
    return over_budget([(ref, Money(most[ref])) for ref in refs if ref not in counted], spent)


def batch_total(connection: Connection, batch_id: str) -> int:
    """Fen that the orders of a batch cost or may cost."""
    return int(connection.execute(_BATCH_TOTAL, {"batch": batch_id}).scalar_one())


def day_total(connection: Connection, since: datetime) -> int:
    """Fen that left or may leave for orders whose create or pay was begun since then."""
    return int(connection.execute(_DAY_TOTAL, {"since": since}).scalar_one())


def _sum(amount: ColumnElement[int], which: ColumnElement[bool]) -> Select[Any]:
    return select(func.coalesce(func.sum(amount), 0)).where(orders.c.order_ref.in_(_begun(which)))


def _begun(which: ColumnElement[bool]) -> Select[Any]:
    live = and_(effects.c.action.in_((Action.CREATE, Action.PAY)), effects.c.status.in_(COUNTS_AS_SPENT))
    joined = effects.join(orders, orders.c.order_ref == effects.c.order_ref)
    return select(effects.c.order_ref).select_from(joined).where(live, which).distinct()


_PAYMENT = (
    effects.c.order_ref == orders.c.order_ref,
    effects.c.action == Action.PAY,
    effects.c.status.in_(COUNTS_AS_SPENT),
)
_PAYMENT_BEGUN = exists().where(*_PAYMENT)
# What the last look before the payment showed: the answer after it may tell total and payment alike as less.
_BEGUN_FOR = func.coalesce(select(func.max(effects.c.amount_minor)).where(*_PAYMENT).scalar_subquery(), 0)
_PAYABLE = func.coalesce(orders.c.payable_minor, orders.c.approved_minor, 0)
# A payment that is shown as less than the order's total, or as nothing, opens no budget.
_SHOWN = case((orders.c.total_minor > orders.c.paid_minor, orders.c.total_minor), else_=orders.c.paid_minor)
_PAID = case((_BEGUN_FOR > _SHOWN, _BEGUN_FOR), else_=_SHOWN)
_OUTLAY = case(
    (orders.c.paid_minor.is_not(None), _PAID),
    (and_(orders.c.state == OrderState.CANCELLED, ~_PAYMENT_BEGUN), 0),
    else_=_PAYABLE,
)
_BACK = func.coalesce(orders.c.refunded_minor, 0)
_COST = case((_BACK < _OUTLAY, _OUTLAY - _BACK), else_=0)
_BATCH_TOTAL = _sum(_COST, orders.c.batch_id == bindparam("batch"))
_DAY_TOTAL = _sum(_OUTLAY, effects.c.intent_at >= bindparam("since"))
_ASKED = one_of(orders.c.order_ref, "refs")
_MOST = select(orders.c.order_ref, _PAYABLE).where(_ASKED)
_COUNTED = _begun(effects.c.intent_at >= bindparam("since")).where(_ASKED)
