"""Scans by when they were recorded: what the tables lack is looked for among the young ones alone."""

from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.create_index(
        "ix_tracking_events_recorded_at", "tracking_events", ["recorded_at", "order_ref"], if_not_exists=True
    )
