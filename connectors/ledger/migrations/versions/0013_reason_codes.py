"""Why an order stands as it does, as a code beside the words: nothing has to read those any more."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("orders", sa.Column("reason_code", sa.String(64)))
