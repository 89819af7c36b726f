"""Messages to people, once for each cause, and their delivery to each recipient."""

import sqlalchemy as sa
from alembic import op

from connectors.ledger.schema import UtcDateTime

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "messages",
        sa.Column("cause", sa.String(160), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("told_at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime()),
        sa.Column("ended", sa.String(16)),
        sa.PrimaryKeyConstraint("cause", name="pk_messages"),
    )
    op.create_index("ix_messages_open", "messages", ["ended_at", "due_at"])
    op.create_table(
        "deliveries",
        sa.Column("cause", sa.String(160), nullable=False),
        sa.Column("addressee", sa.String(64), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(120), nullable=False),
        sa.Column("first_try_at", UtcDateTime(), nullable=False),
        sa.Column("free_at", UtcDateTime(), nullable=False),
        sa.Column("sent_at", UtcDateTime()),
        sa.Column("given_up_at", UtcDateTime()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["cause"], ["messages.cause"], name="fk_deliveries_cause"),
        sa.PrimaryKeyConstraint("cause", "addressee", name="pk_deliveries"),
    )
