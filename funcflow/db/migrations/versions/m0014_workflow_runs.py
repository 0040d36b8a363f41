"""Let tasks of compositions run workflows of Mistral."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "workflow_runs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("execution_id", sa.Text(), nullable=False),
        sa.Column("command", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("trust_id", sa.Text(), nullable=True),
        sa.Column("wanted", sa.Text(), nullable=True),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("looks", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workflow_runs"),
    )
    op.create_index("ix_workflow_runs_due_at", "workflow_runs", ["due_at"])
    op.create_index(
        "ix_workflow_runs_execution_id", "workflow_runs", ["execution_id", "command"]
    )
    op.create_index("ix_workflow_runs_trust_id", "workflow_runs", ["trust_id"])
