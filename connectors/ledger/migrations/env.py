"""Runs the migrations on the connection that `connectors.ledger.engine` hands over."""

from typing import Any

from alembic import context

from connectors.crash_points import AFTER_REVISION, reach
from connectors.ledger.schema import metadata


def applied(ctx: Any, step: Any, heads: Any, run_args: Any) -> None:
    """Reach a crash point after each migration, inside the transaction of all migrations; called by Alembic."""
    reach(AFTER_REVISION, step.up_revision_id)


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
    on_version_apply=applied,
)
context.run_migrations()
