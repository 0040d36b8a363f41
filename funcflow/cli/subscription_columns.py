"""Which fields of subscriptions and their notices are shown; see :mod:`.columns`."""

from __future__ import annotations

from funcflow.cli.columns import OWNED, Column, Layout, Structure

SUBSCRIPTION: Layout = (
    Column("id"),
    Column("name"),
    Column("enabled"),
    Column("destination", Structure),
    Column("reason"),
    Column("kind", detail=True),
    Column("function_id", detail=True),
    Column("composition_id", detail=True),
    Column("states", Structure, detail=True),
    Column("include", Structure, detail=True),
    Column("description", detail=True),
    *OWNED,
)
SUBSCRIPTION_SECRET: Layout = (Column("secret"),)
SUBSCRIPTION_CREATED: Layout = (*SUBSCRIPTION, *SUBSCRIPTION_SECRET)
REDRIVEN: Layout = (Column("redriven"),)
PURGED: Layout = (Column("purged"),)
NOTICE: Layout = (
    Column("id"),
    Column("execution_id"),
    Column("state"),
    Column("stage"),
    Column("attempts"),
    Column("reason"),
    Column("created_at"),
    Column("kind", detail=True),
)
