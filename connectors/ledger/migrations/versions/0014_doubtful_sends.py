"""How often an effect was sent without a known outcome: it is sent once more at most."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column("effects", sa.Column("doubtful_sends", sa.Integer(), nullable=False, server_default=sa.text("0")))
    effects = sa.table("effects", sa.column("status"), sa.column("doubtful_sends"))
    op.execute(effects.update().where(effects.c.status.in_(("sending", "unknown"))).values(doubtful_sends=1))
