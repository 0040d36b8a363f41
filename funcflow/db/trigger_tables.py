"""The tables of triggers: what they are, where their sources are, and what they did."""

from __future__ import annotations

import sqlalchemy as sa

from funcflow.db.columns import flag, maybe_number, maybe_text, metadata, number, text, when, where

#: ``configuration``, ``criteria`` and ``input`` are JSON. No foreign key to the target: a
#: trigger outlives it, and says so when it fires.
triggers = sa.Table(
    "triggers",
    metadata,
    text("id", primary_key=True),
    maybe_text("name"),
    text("description"),
    text("project_id"),
    flag("enabled"),
    maybe_text("reason"),
    text("type"),
    text("configuration"),
    maybe_text("criteria"),
    text("target_kind"),
    text("target_id"),
    number("target_version"),
    maybe_text("target_alias"),
    maybe_text("input"),
    maybe_number("rate_limit"),
    sa.Column("dedup_window", sa.Double, nullable=False),
    maybe_text("dedup_key"),
    number("retry_attempts"),
    sa.Column("retry_interval", sa.Double, nullable=False),
    text("salt"),
    text("origin"),
    number("slot"),
    when("created_at"),
    when("updated_at", nullable=True),
    maybe_text("identity"),
    maybe_text("trust_id"),
    where("uq_triggers_name", "name IS NOT NULL", "project_id", "name", unique=True),
    sa.Index("ix_triggers_project_id", "project_id", "id"),
    sa.Index("ix_triggers_target_id", "target_id"),
    where("ix_triggers_trust_id", "trust_id IS NOT NULL", "trust_id"),
    where("ix_triggers_enabled", "enabled", "type", "slot"),
)

#: One row per trigger. ``cursor`` is the source's own, JSON; ``epoch`` the fencing token of the
#: partition's claim that wrote it; ``next_at`` when a polled source is to be looked at again.
trigger_cursors = sa.Table(
    "trigger_cursors",
    metadata,
    sa.Column("trigger_id", sa.Text, sa.ForeignKey("triggers.id"), primary_key=True),
    number("slot"),
    number("epoch"),
    maybe_text("cursor"),
    when("next_at", nullable=True),
    when("updated_at"),
    where("ix_trigger_cursors_next_at", "next_at IS NOT NULL", "next_at"),
)

#: No foreign key: they are kept for a while when the trigger is gone.
firings = sa.Table(
    "firings",
    metadata,
    text("id", primary_key=True),
    text("trigger_id"),
    text("project_id"),
    text("key"),
    text("event_id"),
    text("event_source"),
    text("event_type"),
    text("outcome"),
    maybe_text("execution_id"),
    maybe_text("kind"),
    maybe_text("reason"),
    number("attempts"),
    when("retry_at", nullable=True),
    maybe_text("event"),
    number("depth"),
    maybe_text("traceparent"),
    when("created_at"),
    when("updated_at"),
    sa.UniqueConstraint("trigger_id", "key"),
    sa.Index("ix_firings_trigger_id", "trigger_id", "id"),
    sa.Index("ix_firings_created_at", "created_at"),
    where("ix_firings_execution_id", "execution_id IS NOT NULL", "execution_id"),
    where("ix_firings_retry_at", "retry_at IS NOT NULL", "retry_at"),
    where("ix_firings_dead", "outcome = 'dead'", "project_id", "id"),
)

#: Events that are ours already and wait to be delivered to a trigger, oldest first.
trigger_events = sa.Table(
    "trigger_events",
    metadata,
    text("id", primary_key=True),
    text("trigger_id"),
    text("event"),
    when("created_at"),
    sa.Index("ix_trigger_events_trigger_id", "trigger_id", "id"),
)
