"""Helpers of a batch take chunks once, by what the batch's row has; shares, which had leases and fences, go."""

import sqlalchemy as sa
from alembic import op

from connectors.ledger.schema import UtcDateTime

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """What was shared and is not begun, the run that shared it plans anew: it names receivers, and is not kept."""
    for table in ("share_helpers", "share_chunks", "shares"):
        op.drop_table(table)
    op.add_column("batches", sa.Column("shared", sa.JSON()))
    op.add_column("batches", sa.Column("shared_by", sa.String(120)))
    op.add_column("batches", sa.Column("shared_at", UtcDateTime()))
    op.create_table(
        "chunks",
        sa.Column("batch_id", sa.String(120), nullable=False),
        sa.Column("owner", sa.String(120), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("work", sa.String(16), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("taken_by", sa.String(120)),
        sa.Column("seen_at", UtcDateTime()),
        sa.Column("done_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("batch_id", "owner", "number", name="pk_chunks"),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.batch_id"], name="fk_chunks_batch_id"),
    )
