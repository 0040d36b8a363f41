"""The table of callbacks, as SQLAlchemy sees it; see :mod:`funcflow.db.tables`."""

from __future__ import annotations

import sqlalchemy as sa

from funcflow.db.columns import maybe_text, metadata, number, text, when, where

#: No foreign keys: a callback outlives its execution when that is deleted. ``target`` is a JSON
#: object, ``token`` is sealed. Gone once it was told.
callbacks = sa.Table(
    "callbacks",
    metadata,
    text("execution_id", primary_key=True),
    text("kind", primary_key=True),
    text("source"),
    text("project_id"),
    text("target"),
    maybe_text("token"),
    text("stage"),
    number("attempts"),
    when("due_at", nullable=True),
    maybe_text("reason"),
    when("created_at"),
    when("ended_at", nullable=True),
    where("ix_callbacks_due_at", "due_at IS NOT NULL", "due_at"),
    sa.Index("ix_callbacks_project_id", "project_id", "execution_id"),
    where("ix_callbacks_dead", "stage = 'dead'", "ended_at"),
)
