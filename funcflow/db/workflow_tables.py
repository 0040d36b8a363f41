"""The table of workflows that tasks wait for, as SQLAlchemy sees it."""

from __future__ import annotations

import sqlalchemy as sa

from funcflow.db.columns import maybe_text, metadata, number, text, when

#: No foreign keys: a run is stopped when its execution is gone. ``wanted`` is a JSON object.
workflow_runs = sa.Table(
    "workflow_runs",
    metadata,
    text("id", primary_key=True),
    text("execution_id"),
    number("command"),
    text("project_id"),
    maybe_text("trust_id"),
    maybe_text("wanted"),
    text("stage"),
    number("attempts"),
    number("looks"),
    when("due_at"),
    when("created_at"),
    sa.Index("ix_workflow_runs_due_at", "due_at"),
    sa.Index("ix_workflow_runs_execution_id", "execution_id", "command"),
    sa.Index("ix_workflow_runs_trust_id", "trust_id"),
)
