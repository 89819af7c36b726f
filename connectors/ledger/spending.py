"""What is spent or may be, and whether the limits have room for more.

An order whose create or pay may have happened counts: with what was paid for it, or
else with the most that may still be paid. A cancelled order without any begun payment
counts no more. Refunds free the budget of the batch, which limits what the goods cost,
never the limit of the day, which limits how much money leaves. Both amounts are columns
of the order, which each transaction writes that changes what they follow from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)

from connectors.ledger.engine import one_of
from connectors.ledger.records import Intent, SpendLimits
from connectors.ledger.schema import (
    STATUS_OF_THESE,
    effects,
    minor_sum,
    orders,
)
from domain.decisions import Verdict
from domain.effects import Action, EffectStatus
from domain.holds import BudgetLimits, over_budget
from domain.money import Money
from domain.states import OrderState

SPENDING_LOCK = 7_307_422
_LET_IN = select(func.pg_advisory_xact_lock(SPENDING_LOCK))
# An effect in doubt counts, or its amount would be spent twice.
COUNTS_AS_SPENT = (EffectStatus.SENDING, EffectStatus.UNKNOWN, EffectStatus.DONE)
BEGUN = select(effects.c.order_ref).where(
    one_of(effects.c.order_ref, "refs"), STATUS_OF_THESE.in_(COUNTS_AS_SPENT)
)
"""Those of some orders (`refs`) of which something may have happened."""


def without_room(
    connection: Connection,
    intents: Sequence[Intent],
    limits: SpendLimits,
    *,
    now: datetime,
    standing: Mapping[str, Any],
) -> dict[str, Verdict]:
    """Why some of these orders may not be created or paid, by `order_ref`. `standing`
    has their rows.

    Claims with a limit run one at a time, each until it commits. An order that the day
    has counted already, such as one paid on the day of its creation, is not counted
    again.
    """
    if limits.batch is None and limits.day is None:
        return {}  # a run with a limit counts this claim as one after its own
    day_start = limits.day_start(now)
    if connection.dialect.name == "postgresql":
        connection.execute(_LET_IN)
    budgets = BudgetLimits(
        batch=limits.batch,
        day=limits.day,
        batch_spent=Money(
            connection.scalar(BATCH_TOTAL, {"batch": limits.batch_id}) or 0
        ),
        day_spent=Money(connection.scalar(DAY_TOTAL, {"since": day_start}) or 0),
    )
    payable = {
        intent.order_ref: Money(standing[intent.order_ref].payable)
        for intent in intents
        if not _is_counted(standing[intent.order_ref], day_start)
    }
    return over_budget([*payable.items()], budgets)


def _is_counted(order: Any, day_start: datetime) -> bool:
    return order.spent_at is not None and order.spent_at >= day_start


def count_spending(connection: Connection, order_refs: Iterable[str]) -> None:
    """Write what these orders cost or may cost, after their effects or they were
    changed. The transaction holds their locks.
    """
    connection.execute(_COUNT, {"refs": [*order_refs]})


def _counted() -> Select[Any]:
    """What each of these orders (`refs`) costs or may cost, its outlay, and when its
    create or pay was last begun; None for an order of which nothing counts.
    """
    paying = effects.c.action == Action.PAY
    begun_effects = (
        select(
            effects.c.order_ref,
            func.max(effects.c.intent_at).label("last"),
            # What the last reading before the payment showed: the answer after it may
            # show total and payment as less.
            func.coalesce(func.max(case((paying, effects.c.amount_minor))), 0).label(
                "for_minor"
            ),
            func.max(case((paying, 1), else_=0)).label("payments"),
        )
        .where(
            one_of(effects.c.order_ref, "refs"),
            effects.c.action.in_((Action.CREATE, Action.PAY)),
            STATUS_OF_THESE.in_(COUNTS_AS_SPENT),
        )
        .group_by(effects.c.order_ref)
        .subquery("begun")
    )
    # A payment that is shown as less than the order's total, or as nothing, opens no
    # budget.
    shown = case(
        (orders.c.total_minor > orders.c.paid_minor, orders.c.total_minor),
        else_=orders.c.paid_minor,
    )
    outlay = case(
        (begun_effects.c.last.is_(None), 0),
        (
            orders.c.paid_minor.is_not(None),
            case(
                (begun_effects.c.for_minor > shown, begun_effects.c.for_minor),
                else_=shown,
            ),
        ),
        (
            and_(orders.c.state == OrderState.CANCELLED, begun_effects.c.payments == 0),
            0,
        ),
        else_=PAYABLE,
    )
    back = func.coalesce(orders.c.refunded_minor, 0)
    cost = case((back < outlay, outlay - back), else_=0)
    return (
        select(
            orders.c.order_ref,
            cost.label("cost"),
            outlay.label("outlay"),
            begun_effects.c.last,
        )
        .select_from(
            orders.outerjoin(
                begun_effects, begun_effects.c.order_ref == orders.c.order_ref
            )
        )
        .where(one_of(orders.c.order_ref, "refs"))
    )


PAYABLE = func.coalesce(orders.c.payable_minor, orders.c.approved_minor, 0).label(
    "payable"
)
COUNTED = _counted().subquery("counted")
_COUNT = (
    update(orders)
    .where(
        orders.c.order_ref == COUNTED.c.order_ref,
        or_(
            orders.c.committed_minor != COUNTED.c.cost,
            orders.c.outlay_minor != COUNTED.c.outlay,
            orders.c.spent_at.is_distinct_from(COUNTED.c.last),
        ),
    )
    .values(
        committed_minor=COUNTED.c.cost,
        outlay_minor=COUNTED.c.outlay,
        spent_at=COUNTED.c.last,
    )
)
BATCH_TOTAL = select(minor_sum(orders.c.committed_minor)).where(
    orders.c.batch_id == bindparam("batch")
)
DAY_TOTAL = select(minor_sum(orders.c.outlay_minor)).where(
    orders.c.spent_at >= bindparam("since")
)
