"""Named locks, held to the end of a transaction.

For counting what may not become too many; SQLite has one writer at a time and needs none.
"""

from __future__ import annotations

import sqlalchemy as sa

_HOLD = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


def hold(connection: sa.Connection, name: str) -> None:
    """Wait for the lock; whoever else holds ``name`` is through then."""
    if connection.dialect.name == "postgresql":
        connection.execute(_HOLD, {"name": name})
