"""Where the sources of triggers are, fenced: only the last claim of a partition may write, and
only about the trigger as it is now.

Called by the events process, which passes the epoch of its claim, and the trigger as it serves
it, with every change.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from funcflow.db import trigger_tables, triggers
from funcflow.events import Trigger

_t = trigger_tables.triggers
_c = trigger_tables.trigger_cursors


def load(connection: sa.Connection, trigger_id: str) -> Any:
    """The cursor that was saved last; None: none yet."""
    text = connection.execute(sa.select(_c.c.cursor).where(_c.c.trigger_id == trigger_id)).scalar()
    return None if text is None else json.loads(text)


def is_current(connection: sa.Connection, trigger: Trigger, *, hold: bool = False) -> bool:
    """Whether the trigger is still like that. ``hold``: and stays so until the transaction ends."""
    query = sa.select(_t.c.updated_at).where(_t.c.id == trigger.id)
    row = connection.execute(query.with_for_update(read=True) if hold else query).first()
    return row is not None and row.updated_at == trigger.updated_at


def save(connection: sa.Connection, trigger: Trigger, epoch: int, cursor: Any, now: float) -> bool:
    """False: a later claim has written, or the trigger is another one by now, or gone; nothing
    was changed."""
    text = json.dumps(cursor, ensure_ascii=False)
    return _write(connection, trigger, epoch, cursor=text, updated_at=now)


def schedule(
    connection: sa.Connection, trigger: Trigger, epoch: int, next_at: float | None, now: float
) -> bool:
    """Have it looked at then; None: not any more. False: as of :func:`save`."""
    return _write(connection, trigger, epoch, next_at=next_at, updated_at=now)


def due(
    connection: sa.Connection,
    types: Collection[str],
    slots: Collection[int],
    now: float,
    limit: int,
    but: Collection[str] = (),
) -> list[Trigger]:
    """Enabled triggers of these types and slots that are to be looked at, longest due first,
    without those of the ids in ``but``."""
    query = (
        sa.select(_t)
        .join(_c, _c.c.trigger_id == _t.c.id)
        .where(_c.c.next_at <= now, _c.c.slot.in_(slots), _t.c.enabled, _t.c.type.in_(types))
        .where(_t.c.id.not_in(but))
        .order_by(_c.c.next_at, _t.c.id)
        .limit(limit)
    )
    return [triggers.to_trigger(row) for row in connection.execute(query)]


def places(
    connection: sa.Connection, trigger_ids: Collection[str]
) -> dict[str, tuple[Any, float | None]]:
    """The cursors of triggers, and when they are to be looked at again (None: never), by id."""
    query = sa.select(_c.c.trigger_id, _c.c.cursor, _c.c.next_at)
    return {
        row.trigger_id: (None if row.cursor is None else json.loads(row.cursor), row.next_at)
        for row in connection.execute(query.where(_c.c.trigger_id.in_(trigger_ids)))
    }


def resume(connection: sa.Connection, trigger_id: str, now: float) -> None:
    """Leave out what would have been due while the trigger rested."""
    cursor = load(connection, trigger_id)
    if isinstance(cursor, dict) and "at" in cursor:
        cursor["at"] = now
    text = None if cursor is None else json.dumps(cursor, ensure_ascii=False)
    connection.execute(
        sa.update(_c)
        .where(_c.c.trigger_id == trigger_id)
        .values(cursor=text, next_at=now, updated_at=now)
    )


def _write(connection: sa.Connection, trigger: Trigger, epoch: int, **values: Any) -> bool:
    # Of a source that was replaced meanwhile: what it has to say is not of the new one. A lock,
    # not a condition: whoever waits for a row of PostgreSQL looks again at that row alone.
    if not is_current(connection, trigger, hold=True):
        return False
    mine = sa.and_(_c.c.trigger_id == trigger.id, _c.c.epoch <= epoch)
    changed = connection.execute(sa.update(_c).where(mine).values(epoch=epoch, **values))
    return changed.rowcount == 1
