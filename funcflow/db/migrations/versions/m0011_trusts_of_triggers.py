"""Keep what people lend to triggers and compositions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    for table in ("triggers", "composition_revisions"):
        op.add_column(table, sa.Column("identity", sa.Text(), nullable=True))
        op.add_column(table, sa.Column("trust_id", sa.Text(), nullable=True))
        lent = sa.text("trust_id IS NOT NULL")
        op.create_index(
            f"ix_{table}_trust_id", table, ["trust_id"], sqlite_where=lent, postgresql_where=lent
        )
