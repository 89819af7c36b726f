"""How often each run has committed, so that another run knows whether its sums are up to date."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "writers",
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("commits", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_writers"),
    )
