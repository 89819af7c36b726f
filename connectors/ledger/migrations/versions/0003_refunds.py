"""Refunds, their events, and the refunded amount of each order."""

import sqlalchemy as sa
from alembic import op

from connectors.ledger.schema import UtcDateTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("orders", sa.Column("refunded_minor", sa.BigInteger()))
    op.create_table(
        "refunds",
        sa.Column("key", sa.String(160), nullable=False),
        sa.Column("order_ref", sa.String(64), nullable=False),
        sa.Column("order_id", sa.String(64), nullable=False),
        sa.Column("part", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("asked_minor", sa.BigInteger(), nullable=False),
        sa.Column("approved_minor", sa.BigInteger(), nullable=False),
        sa.Column("refunded_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("refund_id", sa.String(64), nullable=False),
        sa.Column("refund", sa.JSON(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["order_ref"], ["orders.order_ref"], name="fk_refunds_order_ref"),
        sa.PrimaryKeyConstraint("key", name="pk_refunds"),
    )
    for column in ("order_ref", "state"):
        op.create_index(f"ix_refunds_{column}", "refunds", [column])
    op.create_table(
        "refund_events",
        sa.Column("key", sa.String(160), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("order_ref", sa.String(64), nullable=False),
        sa.Column("refund_id", sa.String(64), nullable=False),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.Column("status", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["key"], ["refunds.key"], name="fk_refund_events_key"),
        sa.PrimaryKeyConstraint("key", "sequence", name="pk_refund_events"),
    )
    op.create_index("ix_refund_events_order_ref", "refund_events", ["order_ref"])
