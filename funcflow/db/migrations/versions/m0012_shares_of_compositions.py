"""Let compositions be shared: shares of either kind, and names of executions by project."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.drop_index("ix_shares_function_id", "shares")
    with op.batch_alter_table("shares") as shares:
        shares.drop_constraint("fk_shares_function_id", type_="foreignkey")
        shares.add_column(sa.Column("kind", sa.Text(), server_default="function", nullable=False))
        shares.alter_column("function_id", new_column_name="resource_id")
        shares.alter_column("function_version", new_column_name="version")
        shares.alter_column("function_alias", new_column_name="alias")
    with op.batch_alter_table("shares") as shares:
        shares.alter_column("kind", server_default=None)
    op.create_index("ix_shares_resource_id", "shares", ["resource_id", "target_kind", "target_id"])
    for table, flag in (
        ("executions", "hidden"),
        ("composition_executions", "borrowed"),
        ("composition_executions", "hidden"),
    ):
        op.add_column(
            table, sa.Column(flag, sa.Boolean(), server_default=sa.text("FALSE"), nullable=False)
        )
    with op.batch_alter_table("composition_executions") as executions:
        executions.drop_constraint(
            "uq_composition_executions_composition_id_name", type_="unique"
        )
        executions.create_unique_constraint(
            "uq_composition_executions_composition_id_project_id_name",
            ["composition_id", "project_id", "name"],
        )
