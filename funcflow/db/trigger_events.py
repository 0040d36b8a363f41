"""Events that wait in the database to be delivered to a trigger. Called by sources and pollers."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from funcflow.db import trigger_tables, triggers
from funcflow.events import Trigger

_t = trigger_tables.trigger_events


def waiting(
    connection: sa.Connection, slots: Collection[int], limit: int, but: Collection[str] = ()
) -> list[Trigger]:
    """Enabled triggers of these slots for which something waits, without those in ``but``."""
    some = sa.select(_t.c.trigger_id).distinct().scalar_subquery()
    mine = trigger_tables.triggers
    query = sa.select(mine).where(mine.c.id.in_(some), mine.c.enabled, mine.c.slot.in_(slots))
    query = query.where(mine.c.id.not_in(but)).limit(limit)
    return [triggers.to_trigger(row) for row in connection.execute(query)]


def oldest(connection: sa.Connection, trigger_id: str, limit: int) -> list[tuple[str, Any]]:
    """What waits longest: ids, and what their rows say."""
    query = sa.select(_t.c.id, _t.c.event).where(_t.c.trigger_id == trigger_id)
    rows = connection.execute(query.order_by(_t.c.id).limit(limit))
    return [(row.id, json.loads(row.event)) for row in rows]


def delete(connection: sa.Connection, row_id: str) -> None:
    """It was delivered."""
    connection.execute(sa.delete(_t).where(_t.c.id == row_id))


def purge(connection: sa.Connection, before: float) -> int:
    """Delete what nobody took for so long, as of triggers that are disabled; how many."""
    return int(connection.execute(sa.delete(_t).where(_t.c.created_at < before)).rowcount)
