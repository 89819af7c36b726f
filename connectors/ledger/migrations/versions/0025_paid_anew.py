"""1688 is paid by another call than before: what payments there have shown, and a person said of one, is of the old."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from connectors.ledger.schema import UtcDateTime

revision = "0025"
down_revision = "0024"

ORDERS = sa.table("orders", *map(sa.column, ("order_ref", "marketplace")))
EFFECTS = sa.table("effects", *map(sa.column, ("order_ref", "action")))
MARKS = sa.table(
    "marks",
    *map(sa.column, ("name", "by", "words", "ended_by")),
    *(sa.column(name, UtcDateTime()) for name in ("at", "ended_at")),
)


def upgrade() -> None:
    """Note the moment, where an order of 1688 was paid before."""
    paid = sa.exists().where(
        ORDERS.c.order_ref == EFFECTS.c.order_ref, ORDERS.c.marketplace == "1688", EFFECTS.c.action == "pay"
    )
    now = sa.literal(datetime.now(UTC), UtcDateTime())
    texts = ("paid_anew:1688", "upgrade", "by one call, alone or together", "upgrade")
    values: list[sa.ColumnElement[Any]] = [*map(sa.literal, texts), now, now]
    names = ["name", "by", "words", "ended_by", "at", "ended_at"]
    op.execute(MARKS.insert().from_select(names, sa.select(*values).where(paid)))
