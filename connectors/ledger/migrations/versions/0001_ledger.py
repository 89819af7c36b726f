"""The first ledger: account, batches, orders, effects, moves, tracking events."""

import sqlalchemy as sa
from alembic import op

from connectors.ledger.schema import UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("one", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("one", name="pk_account"),
    )
    op.create_table(
        "batches",
        sa.Column("batch_id", sa.String(120), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("batch_id", name="pk_batches"),
    )
    op.create_table(
        "orders",
        sa.Column("order_ref", sa.String(64), nullable=False),
        sa.Column("batch_id", sa.String(120), nullable=False),
        sa.Column("marketplace", sa.String(32), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.Column("offers", sa.JSON(), nullable=False),
        sa.Column("quote", sa.JSON()),
        sa.Column("seller_id", sa.Text(), nullable=False),
        sa.Column("approved_minor", sa.BigInteger()),
        sa.Column("freight_approved_minor", sa.BigInteger()),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("order_id", sa.String(64)),
        sa.Column("ordered_at", UtcDateTime()),
        sa.Column("total_minor", sa.BigInteger()),
        sa.Column("paid_minor", sa.BigInteger()),
        sa.Column("paid_at", UtcDateTime()),
        sa.Column("freight_quote", sa.JSON()),
        sa.Column("freight_service", sa.String(64)),
        sa.Column("freight_minor", sa.BigInteger()),
        sa.Column("freight_currency", sa.String(3)),
        sa.Column("shipment", sa.JSON()),
        sa.Column("shipment_order_id", sa.String(64)),
        sa.Column("booked_at", UtcDateTime()),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.batch_id"], name="fk_orders_batch_id"),
        sa.PrimaryKeyConstraint("order_ref", name="pk_orders"),
    )
    for column in ("batch_id", "state", "order_id"):
        op.create_index(f"ix_orders_{column}", "orders", [column])
    op.create_table(
        "effects",
        sa.Column("key", sa.String(160), nullable=False),
        sa.Column("order_ref", sa.String(64), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("amount_minor", sa.BigInteger()),
        sa.Column("currency", sa.String(3)),
        sa.Column("request_hash", sa.String(64), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(120), nullable=False),
        sa.Column("lease_until", UtcDateTime(), nullable=False),
        sa.Column("sender", sa.String(120), nullable=False),
        sa.Column("intent_at", UtcDateTime(), nullable=False),
        sa.Column("settled_at", UtcDateTime()),
        sa.Column("answer", sa.JSON()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["order_ref"], ["orders.order_ref"], name="fk_effects_order_ref"),
        sa.PrimaryKeyConstraint("key", name="pk_effects"),
    )
    op.create_index("ix_effects_order_ref", "effects", ["order_ref"])
    op.create_index("ix_effects_status", "effects", ["status"])
    op.create_table(
        "moves",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("order_ref", sa.String(64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("old_state", sa.String(32)),
        sa.Column("new_state", sa.String(32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.String(120), nullable=False),
        sa.ForeignKeyConstraint(["order_ref"], ["orders.order_ref"], name="fk_moves_order_ref"),
        sa.PrimaryKeyConstraint("id", name="pk_moves"),
    )
    op.create_index("ix_moves_order_ref", "moves", ["order_ref"])
    op.create_table(
        "tracking_events",
        sa.Column("order_ref", sa.String(64), nullable=False),
        sa.Column("tracking_number", sa.String(64), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["order_ref"], ["orders.order_ref"], name="fk_tracking_events_order_ref"),
        sa.PrimaryKeyConstraint("order_ref", "tracking_number", "sequence", name="pk_tracking_events"),
    )
