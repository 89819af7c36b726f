"""The reason of an order's state as a code beside the words, which no program reads any more."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("orders", sa.Column("reason_code", sa.String(64)))
