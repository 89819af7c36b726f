"""Tracking numbers that were exported for shops."""

import sqlalchemy as sa
from alembic import op

from connectors.ledger.schema import UtcDateTime

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.create_table(
        "exported_numbers",
        sa.Column("order_ref", sa.String(64), nullable=False),
        sa.Column("tracking_number", sa.String(64), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("order_ref", "tracking_number", name="pk_exported_numbers"),
        sa.ForeignKeyConstraint(["order_ref"], ["orders.order_ref"], name="fk_exported_numbers_order_ref"),
    )
