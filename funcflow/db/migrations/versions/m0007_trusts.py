"""Keep what people lend to functions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_NEEDED = sa.text("trust_id IS NOT NULL AND state IN ('queued', 'running', 'dead')")
_UNNEEDED = sa.text("remove_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "trusts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("remove_at", sa.Double(), nullable=True),
        sa.Column("removing", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_trusts"),
    )
    op.create_index("ix_trusts_user_id", "trusts", ["user_id", "project_id"])
    op.create_index(
        "ix_trusts_remove_at",
        "trusts",
        ["remove_at"],
        sqlite_where=_UNNEEDED,
        postgresql_where=_UNNEEDED,
    )
    op.add_column("revisions", sa.Column("identity", sa.Text(), nullable=True))
    op.add_column("revisions", sa.Column("trust_id", sa.Text(), nullable=True))
    op.create_index("ix_revisions_trust_id", "revisions", ["trust_id"])
    op.add_column("executions", sa.Column("trust_id", sa.Text(), nullable=True))
    op.create_index(
        "ix_executions_trust_id",
        "executions",
        ["trust_id"],
        sqlite_where=_NEEDED,
        postgresql_where=_NEEDED,
    )
