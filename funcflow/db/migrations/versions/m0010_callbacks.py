"""Tell others when executions end."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    for table in ("executions", "composition_executions"):
        op.add_column(
            table,
            sa.Column("callback", sa.Boolean(), server_default=sa.text("FALSE"), nullable=False),
        )
    op.create_table(
        "callbacks",
        sa.Column("execution_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=True),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("execution_id", "kind", name="pk_callbacks"),
    )
    op.create_index("ix_callbacks_project_id", "callbacks", ["project_id", "execution_id"])
    for name, column, condition in (
        ("ix_callbacks_due_at", "due_at", "due_at IS NOT NULL"),
        ("ix_callbacks_dead", "ended_at", "stage = 'dead'"),
    ):
        op.create_index(
            name,
            "callbacks",
            [column],
            sqlite_where=sa.text(condition),
            postgresql_where=sa.text(condition),
        )
