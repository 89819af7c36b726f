"""What a person took back under an earlier program, in vain or not, waits for a person's yes before it goes on."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from connectors.ledger.schema import UtcDateTime

revision = "0024"
down_revision = "0023"

ORDERS = sa.table(
    "orders",
    *map(sa.column, ("order_ref", "state", "plan_hash", "shipment_order_id")),
    *map(sa.column, ("paid_minor", "payable_minor", "approved_minor")),
)
EFFECTS = sa.table("effects", sa.column("order_ref"), sa.column("action"))
REFUNDS = sa.table("refunds", sa.column("order_ref"), sa.column("asked_minor", sa.BigInteger))
MOVES = sa.table(
    "moves",
    *map(sa.column, ("order_ref", "old_state", "new_state", "reason", "by", "reason_code")),
    sa.column("at", UtcDateTime()),
)


def upgrade() -> None:
    """Withdraw approvals of orders whose freight is not booked. Refunds count from half of the money, for any lines.

    Of what was taken above the approved people got the difference back and booked it by hand, as the manual had it.
    """
    o = ORDERS.c
    cancelled = sa.exists().where(EFFECTS.c.order_ref == o.order_ref, EFFECTS.c.action == "cancel")
    asked = sa.select(sa.func.sum(REFUNDS.c.asked_minor)).where(REFUNDS.c.order_ref == o.order_ref).scalar_subquery()
    is_left = sa.and_(o.shipment_order_id.is_(None), o.state.not_in(("cancelled", "refunded")))
    is_above = o.paid_minor > sa.func.coalesce(o.payable_minor, o.approved_minor)
    taken_back = sa.and_(is_left, sa.or_(cancelled, 2 * asked >= o.paid_minor, is_above))
    now = sa.literal(datetime.now(UTC), UtcDateTime())
    why = (sa.literal(""), sa.literal("upgrade"), sa.literal("wanted_back"), now)
    names = ["order_ref", "old_state", "new_state", "reason", "by", "reason_code", "at"]
    op.execute(MOVES.insert().from_select(names, sa.select(o.order_ref, o.state, o.state, *why).where(taken_back)))
    op.execute(ORDERS.update().where(taken_back).values(plan_hash=None))
