"""What is spent or may be, and whether there is room for more."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, func, select

from connectors.ledger.records import Intent, SpendLimits
from connectors.ledger.schema import effects, orders
from domain.budget import Limits, over_budget
from domain.effects import Action, EffectStatus
from domain.money import Money

SPENDING_LOCK = 7_307_422
COUNTS_AS_SPENT = (EffectStatus.SENDING, EffectStatus.UNKNOWN, EffectStatus.DONE)


def without_room(connection: Connection, intents: Sequence[Intent], limits: SpendLimits) -> dict[str, str]:
    """Why some of these orders may not be created: by `order_ref`. Runs are let in one by one until they commit."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(SPENDING_LOCK)))
    spent = Limits(
        batch=limits.batch,
        day=limits.day,
        batch_spent=Money(committed(connection, orders.c.batch_id == limits.batch_id)),
        day_spent=Money(committed(connection, effects.c.intent_at >= limits.day_start)),
    )
    return over_budget([(intent.order_ref, intent.amount or Money(0)) for intent in intents], spent)


def committed(connection: Connection, which: ColumnElement[bool]) -> int:
    """Fen approved for orders whose create or pay may have cost money, of those that `which` selects."""
    begun = (
        select(effects.c.order_ref)
        .join(orders, orders.c.order_ref == effects.c.order_ref)
        .where(effects.c.action.in_((Action.CREATE, Action.PAY)), effects.c.status.in_(COUNTS_AS_SPENT), which)
        .distinct()
    )
    statement = select(func.coalesce(func.sum(orders.c.approved_minor), 0)).where(orders.c.order_ref.in_(begun))
    return int(connection.execute(statement).scalar_one())
