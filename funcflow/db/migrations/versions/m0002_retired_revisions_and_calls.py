"""Let revisions retire, and count calls per function version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("revisions", sa.Column("retired_at", sa.Double(), nullable=True))
    op.create_index(
        "ix_revisions_retired_at",
        "revisions",
        ["retired_at"],
        sqlite_where=sa.text("retired_at IS NOT NULL"),
        postgresql_where=sa.text("retired_at IS NOT NULL"),
    )
    # What nothing points to any more was never marked; from now on it is.
    op.execute(
        """
        UPDATE revisions SET retired_at = created_at WHERE NOT EXISTS (
          SELECT 1 FROM functions AS f
          WHERE f.id = revisions.function_id AND f.revision = revisions.number
        ) AND NOT EXISTS (
          SELECT 1 FROM versions AS v
          WHERE v.function_id = revisions.function_id AND v.revision = revisions.number
        )
        """
    )
    op.create_table(
        "calls",
        sa.Column("function_id", sa.Text(), nullable=False),
        sa.Column("function_version", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("writer", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("function_id", "function_version", "writer", name="pk_calls"),
    )
    op.execute(
        """
        INSERT INTO calls (function_id, function_version, writer, count)
        SELECT function_id, function_version, '', COUNT(*) FROM executions
        GROUP BY function_id, function_version
        """
    )
