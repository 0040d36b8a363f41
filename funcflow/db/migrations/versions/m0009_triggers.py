"""Set functions and compositions off by events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "triggers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("configuration", sa.Text(), nullable=False),
        sa.Column("criteria", sa.Text(), nullable=True),
        sa.Column("target_kind", sa.Text(), nullable=False),
        sa.Column("target_id", sa.Text(), nullable=False),
        sa.Column("target_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("target_alias", sa.Text(), nullable=True),
        sa.Column("input", sa.Text(), nullable=True),
        sa.Column("rate_limit", sa.BigInteger(), nullable=True),
        sa.Column("dedup_window", sa.Double(), nullable=False),
        sa.Column("dedup_key", sa.Text(), nullable=True),
        sa.Column("retry_attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("retry_interval", sa.Double(), nullable=False),
        sa.Column("salt", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("slot", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_triggers"),
    )
    named = sa.text("name IS NOT NULL")
    op.create_index(
        "uq_triggers_name",
        "triggers",
        ["project_id", "name"],
        unique=True,
        sqlite_where=named,
        postgresql_where=named,
    )
    op.create_index("ix_triggers_project_id", "triggers", ["project_id", "id"])
    op.create_index("ix_triggers_target_id", "triggers", ["target_id"])
    _partial("ix_triggers_enabled", "triggers", ["type", "slot"], "enabled")
    op.create_table(
        "trigger_cursors",
        sa.Column("trigger_id", sa.Text(), nullable=False),
        sa.Column("slot", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("epoch", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("next_at", sa.Double(), nullable=True),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["trigger_id"], ["triggers.id"], name="fk_trigger_cursors_trigger_id_triggers"
        ),
        sa.PrimaryKeyConstraint("trigger_id", name="pk_trigger_cursors"),
    )
    _partial("ix_trigger_cursors_next_at", "trigger_cursors", ["next_at"], "next_at IS NOT NULL")
    op.create_table(
        "firings",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("trigger_id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("event_source", sa.Text(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("execution_id", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("retry_at", sa.Double(), nullable=True),
        sa.Column("event", sa.Text(), nullable=True),
        sa.Column("depth", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("traceparent", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_firings"),
        sa.UniqueConstraint("trigger_id", "key", name="uq_firings_trigger_id_key"),
    )
    op.create_index("ix_firings_trigger_id", "firings", ["trigger_id", "id"])
    op.create_index("ix_firings_created_at", "firings", ["created_at"])
    _partial("ix_firings_execution_id", "firings", ["execution_id"], "execution_id IS NOT NULL")
    _partial("ix_firings_retry_at", "firings", ["retry_at"], "retry_at IS NOT NULL")
    op.create_table(
        "trigger_events",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("trigger_id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_trigger_events"),
    )
    op.create_index("ix_trigger_events_trigger_id", "trigger_events", ["trigger_id", "id"])


def _partial(name: str, table: str, columns: list[str], condition: str) -> None:
    """An index of some rows only."""
    where = sa.text(condition)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
