"""Whose a shipment's id is, and which orders of a marketplace are the newest, are asked with every batch."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_index("ix_orders_shipment_order_id", "orders", ["shipment_order_id"], if_not_exists=True)
    op.create_index("ix_orders_marketplace", "orders", ["marketplace", "ordered_at"], if_not_exists=True)
