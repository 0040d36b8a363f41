"""The tables of subscriptions and of what is to be told; see :mod:`funcflow.db.tables`."""

from __future__ import annotations

import sqlalchemy as sa

from funcflow.db.columns import flag, maybe_text, metadata, number, text, when, where

#: ``states`` and ``include`` are JSON lists, ``configuration`` is a JSON object.
subscriptions = sa.Table(
    "subscriptions",
    metadata,
    text("id", primary_key=True),
    maybe_text("name"),
    text("description"),
    text("project_id"),
    flag("enabled"),
    maybe_text("reason"),
    maybe_text("kind"),
    maybe_text("target_id"),
    text("states"),
    text("type"),
    text("configuration"),
    text("include"),
    text("salt"),
    when("created_at"),
    when("updated_at", nullable=True),
    where("uq_subscriptions_name", "name IS NOT NULL", "project_id", "name", unique=True),
    sa.Index("ix_subscriptions_project_id", "project_id", "id"),
    where("ix_subscriptions_enabled", "enabled", "project_id"),
)

#: One for each subscription, with its id, and the operator's own.
notice_lanes = sa.Table(
    "notice_lanes",
    metadata,
    text("id", primary_key=True),
    when("due_at"),
    number("attempts"),
    sa.Index("ix_notice_lanes_due_at", "due_at"),
)

#: What is still to be told, and what could not be. ``facts`` is a JSON object. No foreign keys: a
#: notice outlives its execution.
notices = sa.Table(
    "notices",
    metadata,
    # In the order of the changes: those of one execution are made under the lock of its row.
    sa.Column(
        "id",
        sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    text("lane"),
    text("project_id"),
    text("execution_id"),
    text("kind"),
    text("state"),
    maybe_text("previous"),
    text("facts"),
    text("stage"),
    number("attempts"),
    when("due_at"),
    maybe_text("reason"),
    when("created_at"),
    sa.Index("ix_notices_lane", "lane", "stage", "id"),
    sa.Index("ix_notices_created_at", "created_at"),
    sqlite_autoincrement=True,
)
