"""Alembic runs this with the connection that :func:`eisenergy.store.migrate` hands over; it opens none of its own."""

from __future__ import annotations

from alembic import context

from eisenergy.store.tables import SCHEMA, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table_schema=SCHEMA,
    include_schemas=True,
)
context.run_migrations()
