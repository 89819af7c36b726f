"""Indexes for queries of every batch: the order of a shipment's id, and the newest orders of a marketplace."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_index("ix_orders_shipment_order_id", "orders", ["shipment_order_id"], if_not_exists=True)
    op.create_index("ix_orders_marketplace", "orders", ["marketplace", "ordered_at"], if_not_exists=True)
