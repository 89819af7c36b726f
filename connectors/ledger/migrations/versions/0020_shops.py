"""The shop of an order and its id there, and the orders that the own SKUs of a request went to."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.add_column("orders", sa.Column("shop", sa.String(40)))
    op.add_column("orders", sa.Column("shop_ref", sa.String(80)))
    op.create_table(
        "parts",
        sa.Column("part_of", sa.String(64), primary_key=True),
        sa.Column("own_sku", sa.Text(), primary_key=True),
        sa.Column("order_ref", sa.String(64), nullable=False),
    )
