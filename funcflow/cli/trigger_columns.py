"""Which fields of triggers and their firings are shown; see :mod:`.columns`."""

from __future__ import annotations

from funcflow.cli.columns import OWNED, Column, Duration, Layout, Structure

TRIGGER: Layout = (
    Column("id"),
    Column("name"),
    Column("enabled"),
    Column("status"),
    Column("source", Structure),
    Column("target", Structure),
    Column("reason"),
    Column("description", detail=True),
    Column("criteria", Structure, detail=True),
    Column("input", Structure, detail=True),
    Column("rate_limit", detail=True),
    Column("dedup_window", Duration, detail=True),
    Column("dedup_key", detail=True),
    Column("retry", Structure, detail=True),
    Column("identity", Structure, detail=True),
    Column("origin", detail=True),
    Column("url", detail=True),
    *OWNED,
)
TRIGGER_SECRET: Layout = (Column("secret"),)
TRIGGER_CREATED: Layout = (*TRIGGER, *TRIGGER_SECRET)
TRIGGER_TRIAL: Layout = (
    Column("would_run"),
    Column("matched"),
    Column("problem"),
    Column("input"),
    Column("criteria", Structure),
)
FIRING: Layout = (
    Column("id"),
    Column("event_type"),
    Column("event_id"),
    Column("outcome"),
    Column("execution_id"),
    Column("reason"),
    Column("created_at"),
    Column("event_source", detail=True),
    Column("kind", detail=True),
    Column("attempts", detail=True),
    Column("retry_at", detail=True),
    Column("depth", detail=True),
    Column("traceparent", detail=True),
    Column("trigger_id", detail=True),
)

DEAD_FIRING: Layout = (
    Column("id"),
    Column("kind"),
    Column("trigger_id"),
    Column("event_id"),
    Column("event_source"),
    Column("event_type"),
    Column("event", Structure),
    Column("reason"),
    Column("attempts"),
    Column("created_at"),
    Column("updated_at"),
)
