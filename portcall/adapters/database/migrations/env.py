"""Runs the migrations on the connection that `migrate` lends, inside its transaction."""

from alembic import context

from portcall.adapters.database.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
