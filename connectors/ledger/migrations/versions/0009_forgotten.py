"""Orders whose receiver was erased on request: such an order is never planned, bought or reported again."""

import sqlalchemy as sa
from alembic import op

from connectors.ledger.schema import UtcDateTime

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "forgotten",
        sa.Column("order_ref", sa.String(64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(120), nullable=False),
        sa.Column("receivers", sa.JSON()),
        sa.Column("finished_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("order_ref", name="pk_forgotten"),
    )
