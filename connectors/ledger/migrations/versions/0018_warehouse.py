"""To which warehouse address an order went, and when a parcel was last reported to the warehouse."""

import sqlalchemy as sa
from alembic import op

from connectors.ledger.schema import UtcDateTime

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.add_column("orders", sa.Column("warehouse", sa.Text()))
    op.add_column("orders", sa.Column("parcel_reported_at", UtcDateTime()))
