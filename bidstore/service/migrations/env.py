"""Alembic's entry: runs the migrations on the connection that :mod:`bidstore.service.database` hands over."""

from alembic import context

from bidstore.service.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table="bid_version",
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
