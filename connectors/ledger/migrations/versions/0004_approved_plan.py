"""The approved plan, so that a claim can check that it is still the order's plan."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("orders", sa.Column("plan_hash", sa.String(64)))
