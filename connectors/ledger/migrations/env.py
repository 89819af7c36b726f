"""Runs the migrations on the connection that `connectors.ledger.engine` hands over."""

from alembic import context

from connectors.ledger.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
