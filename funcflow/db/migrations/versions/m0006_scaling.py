"""Say how many workers a function has."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "scaling",
        sa.Column("function_id", sa.Text(), nullable=False),
        sa.Column("min_workers", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("max_workers", sa.BigInteger(), nullable=True),
        sa.Column("provisioned", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["function_id"], ["functions.id"], name="fk_scaling_function_id_functions"
        ),
        sa.PrimaryKeyConstraint("function_id", name="pk_scaling"),
    )
