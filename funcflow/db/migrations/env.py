"""Run by alembic; the connection, in its transaction, comes from :mod:`funcflow.db.schema`."""

from __future__ import annotations

from alembic import context

from funcflow.db import columns

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=columns.metadata,
    transactional_ddl=True,
)
context.run_migrations()
