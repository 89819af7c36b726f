"""What version 0.1.0 had and 0006 has not. Tables that later migrations drop are here as those find them."""

import sqlalchemy as sa
from alembic import op

from connectors.ledger.schema import UtcDateTime

revision = "0012"
down_revision = "0006"


def upgrade() -> None:
    op.create_index("ix_orders_shipment_order_id", "orders", ["shipment_order_id"], if_not_exists=True)
    op.create_index("ix_orders_marketplace", "orders", ["marketplace", "ordered_at"], if_not_exists=True)
    op.create_table(
        "writers",
        sa.Column("name", sa.String(120), primary_key=True),
        sa.Column("commits", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "forgotten",
        sa.Column("order_ref", sa.String(64), primary_key=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(120), nullable=False),
        sa.Column("receivers", sa.JSON()),
        sa.Column("finished_at", UtcDateTime()),
    )
    op.create_table(
        "switches",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(16), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(120), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("ended_at", UtcDateTime()),
        sa.Column("ended_by", sa.String(120)),
    )
    _messages()
    op.create_table(
        "pace",
        sa.Column("one", sa.Integer(), primary_key=True),
        sa.Column("permits", sa.Float(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("not_before", UtcDateTime(), nullable=False),
        sa.Column("takers", sa.JSON(), nullable=False),
    )
    op.create_table(
        "changes",
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("order_refs", sa.JSON()),
        sa.Column("pruned", sa.BigInteger()),
    )
    for shared in ("shares", "share_chunks", "share_helpers"):
        op.create_table(shared, sa.Column("share_id", sa.String(160)))


def _messages() -> None:
    op.create_table(
        "messages",
        sa.Column("cause", sa.String(160), primary_key=True),
        sa.Column("kind", sa.String(32), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("subject", "body", "link")),
        *(sa.Column(name, UtcDateTime(), nullable=False) for name in ("told_at", "due_at", "until")),
        sa.Column("ended_at", UtcDateTime()),
        sa.Column("ended", sa.String(16)),
    )
    op.create_index("ix_messages_open", "messages", ["ended_at", "due_at"])
    op.create_table(
        "deliveries",
        *(sa.Column(name, sa.Text()) for name in ("cause", "addressee", "reason")),
        sa.Column("tries", sa.Integer()),
        *(sa.Column(name, UtcDateTime()) for name in ("first_try_at", "free_at", "sent_at", "given_up_at")),
    )
