"""The tries of a message at its recipients stand in its row; the table of deliveries goes."""

from collections import defaultdict
from typing import Any

import sqlalchemy as sa
from alembic import op

from connectors.ledger.schema import UtcDateTime

revision = "0019"
down_revision = "0018"

TIMES = ("first_try_at", "free_at", "sent_at", "given_up_at")
DELIVERIES = sa.table(
    "deliveries",
    *(sa.column(name) for name in ("cause", "addressee", "tries", "reason")),
    *(sa.column(name, UtcDateTime()) for name in TIMES),
)
MESSAGES = sa.table("messages", sa.column("cause"), sa.column("tries", sa.JSON()))


def upgrade() -> None:
    op.add_column("messages", sa.Column("tries", sa.JSON(), nullable=False, server_default=sa.text("'{}'")))
    tries: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for row in op.get_bind().execute(sa.select(DELIVERIES)).mappings():
        times = {name: row[name] and row[name].isoformat() for name in TIMES}
        tries[row["cause"]][row["addressee"]] = {
            "count": row["tries"],
            "first_at": times["first_try_at"],
            "next_at": None if row["sent_at"] or row["given_up_at"] else times["free_at"],
            "sent_at": times["sent_at"],
            "why": row["reason"],
        }
    for cause, those in tries.items():
        op.execute(MESSAGES.update().where(MESSAGES.c.cause == cause).values(tries=those))
    op.drop_table("deliveries")
