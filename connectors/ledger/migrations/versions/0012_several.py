"""Several processes on one batch: its shares and their chunks, the account's call rate, the changes of each commit."""

import sqlalchemy as sa
from alembic import op

from connectors.ledger.schema import UtcDateTime

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    _shares()
    _pace()
    _changes()


def _shares() -> None:
    op.create_table(
        "shares",
        sa.Column("share_id", sa.String(160), nullable=False),
        sa.Column("batch_id", sa.String(120), nullable=False),
        sa.Column("parent", sa.String(120), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("share_id", name="pk_shares"),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.batch_id"], name="fk_shares_batch_id"),
    )
    op.create_index("ix_shares_batch_id", "shares", ["batch_id"])
    op.create_table(
        "share_chunks",
        sa.Column("share_id", sa.String(160), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("work", sa.String(16), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("holder", sa.String(120), nullable=False),
        sa.Column("lease_until", UtcDateTime()),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("done_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("share_id", "number", name="pk_share_chunks"),
        sa.ForeignKeyConstraint(["share_id"], ["shares.share_id"], name="fk_share_chunks_share_id"),
    )
    op.create_table(
        "share_helpers",
        sa.Column("share_id", sa.String(160), nullable=False),
        sa.Column("owner", sa.String(120), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("share_id", "owner", name="pk_share_helpers"),
        sa.ForeignKeyConstraint(["share_id"], ["shares.share_id"], name="fk_share_helpers_share_id"),
    )


def _pace() -> None:
    op.create_table(
        "pace",
        sa.Column("one", sa.Integer(), nullable=False),
        sa.Column("permits", sa.Float(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("not_before", UtcDateTime(), nullable=False),
        sa.Column("takers", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("one", name="pk_pace"),
    )


def _changes() -> None:
    op.create_table(
        "changes",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_refs", sa.JSON()),
        sa.Column("pruned", sa.BigInteger()),
        sa.PrimaryKeyConstraint("number", name="pk_changes"),
    )
