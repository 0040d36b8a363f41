"""Triggers: from events to executions.

Called by the API (changes inside ``Database.transact``) and the events process. Names are unique
in a project. ``project_id`` None: of any project (administrators).
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from funcflow import errors, ids
from funcflow.db import lent, listing, locks, trigger_tables
from funcflow.events import Retry, SourceOf, Target, Trigger

_t = trigger_tables.triggers
_c = trigger_tables.trigger_cursors
_LISTED = {
    name: _t.c[name]
    for name in (
        "id", "name", "description", "project_id", "enabled", "type", "target_kind", "target_id",
        "target_alias", "origin", "created_at", "updated_at",
    )
}  # fmt: skip


def create(connection: sa.Connection, trigger: Trigger, limit: int) -> Trigger:
    """Keep a new trigger. ``limit``: how many a project may have; -1: any.

    :raises errors.Conflict: the project has a trigger of that name
    :raises errors.Forbidden: the project has as many as it may
    """
    locks.hold(connection, f"triggers of {trigger.project_id}")
    if limit >= 0:
        mine = _t.c.project_id == trigger.project_id
        have = connection.execute(sa.select(sa.func.count()).where(mine)).scalar_one()
        if have >= limit:
            raise errors.Forbidden(
                f"the project has {have} triggers, as many as it may ({limit})",
                hint="Delete triggers you do not need, or ask your operator for more.",
                code="quota_exceeded",
            )
    _check_name(connection, trigger)
    connection.execute(sa.insert(_t).values(**_row(trigger)))
    connection.execute(
        sa.insert(_c).values(
            trigger_id=trigger.id,
            slot=trigger.slot,
            epoch=0,
            next_at=trigger.created_at,
            updated_at=trigger.created_at,
        )
    )
    return trigger


def get(connection: sa.Connection, trigger_id: str, project_id: str | None = None) -> Trigger:
    """:raises errors.NotFound: unknown, or another project's"""
    row = connection.execute(sa.select(_t).where(_t.c.id == trigger_id)).first()
    if row is None or project_id not in (None, row.project_id):
        raise errors.NotFound(f"there is no trigger {trigger_id}")
    return to_trigger(row)


def find(connection: sa.Connection, trigger_id: str) -> Trigger | None:
    """Of whatever project."""
    row = connection.execute(sa.select(_t).where(_t.c.id == trigger_id)).first()
    return None if row is None else to_trigger(row)


def resolve(
    connection: sa.Connection, ref: str, project_id: str | None, own_project: str | None = None
) -> Trigger:
    """By id, or by a name in ``own_project`` (default: ``project_id``).

    :raises errors.NotFound: unknown, or another project's
    """
    if ids.is_id(ref):
        return get(connection, ref.lower(), project_id)
    named = sa.select(_t).where(_t.c.name == ref, _t.c.project_id == (own_project or project_id))
    row = connection.execute(named).first()
    if row is None:
        raise errors.NotFound(f"there is no trigger {ref!r}")
    return to_trigger(row)


def list_(connection: sa.Connection, query: listing.Query) -> list[Trigger]:
    """A page of triggers.

    :raises errors.BadRequest: an unknown field, operator, sort key or marker
    """
    return [to_trigger(row) for row in listing.page(connection, sa.select(_t), _LISTED, query)]


def update(connection: sa.Connection, trigger: Trigger, *, start_over: bool) -> Trigger:
    """Make the row as the trigger is now. ``start_over``: its source is another one; forget where
    the old one was, and look at it at once.

    :raises errors.NotFound: it is gone
    :raises errors.Conflict: the project has another trigger of that name
    """
    locks.hold(connection, f"triggers of {trigger.project_id}")
    _check_name(connection, trigger)
    changed = connection.execute(
        sa.update(_t).where(_t.c.id == trigger.id).values(**_row(trigger))
    ).rowcount
    if not changed:
        raise errors.NotFound(f"there is no trigger {trigger.id}")
    if start_over:
        connection.execute(
            sa.update(_c)
            .where(_c.c.trigger_id == trigger.id)
            .values(cursor=None, next_at=trigger.updated_at, updated_at=trigger.updated_at)
        )
    return trigger


def disable(
    connection: sa.Connection,
    trigger_id: str,
    reason: str,
    now: float,
    trust_id: str | None = None,
) -> bool:
    """Let it rest until somebody has looked at the reason. ``trust_id``: only while it has this
    trust, which it loses. False: it rests already, or has another one by now."""
    query = sa.update(_t).where(_t.c.id == trigger_id, _t.c.enabled)
    values: dict[str, Any] = {"enabled": False, "reason": reason, "updated_at": now}
    if trust_id is not None:
        query, values["trust_id"] = query.where(_t.c.trust_id == trust_id), None
    return connection.execute(query.values(**values)).rowcount == 1


def delete(connection: sa.Connection, trigger_id: str) -> None:
    """With what it had not delivered yet; its firings stay for a while.

    :raises errors.NotFound: it is gone
    """
    # First, as whoever writes the cursor does.
    connection.execute(sa.select(_t.c.id).where(_t.c.id == trigger_id).with_for_update())
    connection.execute(sa.delete(_c).where(_c.c.trigger_id == trigger_id))
    waiting = trigger_tables.trigger_events
    connection.execute(sa.delete(waiting).where(waiting.c.trigger_id == trigger_id))
    if not connection.execute(sa.delete(_t).where(_t.c.id == trigger_id)).rowcount:
        raise errors.NotFound(f"there is no trigger {trigger_id}")


def enabled(
    connection: sa.Connection, types: Collection[str], project_id: str | None = None
) -> list[Trigger]:
    """All enabled triggers, or those of a project, whose sources are of these types, by id."""
    query = sa.select(_t).where(_t.c.enabled, _t.c.type.in_(types)).order_by(_t.c.id)
    if project_id is not None:
        query = query.where(_t.c.project_id == project_id)
    return [to_trigger(row) for row in connection.execute(query)]


def with_target(connection: sa.Connection, target_id: str, project_id: str) -> str | None:
    """The id of a trigger of the project that would run the function or composition; None: there
    is none."""
    mine = sa.and_(_t.c.target_id == target_id, _t.c.project_id == project_id)
    return connection.execute(sa.select(_t.c.id).where(mine).limit(1)).scalar()


def _check_name(connection: sa.Connection, trigger: Trigger) -> None:
    if trigger.name is None:
        return
    taken = sa.select(_t.c.id).where(
        _t.c.project_id == trigger.project_id, _t.c.name == trigger.name, _t.c.id != trigger.id
    )
    if connection.execute(taken).first() is not None:
        raise errors.Conflict(f"there is a trigger {trigger.name!r} already")


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


def _row(trigger: Trigger) -> dict[str, Any]:
    return {
        "id": trigger.id,
        "name": trigger.name,
        "description": trigger.description,
        "project_id": trigger.project_id,
        "enabled": trigger.enabled,
        "reason": trigger.reason,
        "type": trigger.source.type,
        "configuration": json.dumps(dict(trigger.source.configuration), ensure_ascii=False),
        "criteria": _json(trigger.criteria),
        "target_kind": trigger.target.kind,
        "target_id": trigger.target.id,
        "target_version": trigger.target.version,
        "target_alias": trigger.target.alias,
        "input": _json(trigger.input),
        "rate_limit": trigger.rate_limit,
        "dedup_window": trigger.dedup_window,
        "dedup_key": trigger.dedup_key,
        "retry_attempts": trigger.retry.attempts,
        "retry_interval": trigger.retry.interval,
        "salt": trigger.salt,
        "origin": trigger.origin,
        "slot": trigger.slot,
        **lent.row(trigger.identity),
        "created_at": trigger.created_at,
        "updated_at": trigger.updated_at,
    }


def to_trigger(row: Any) -> Trigger:
    """From a whole row."""
    return Trigger(
        id=row.id,
        name=row.name,
        description=row.description,
        project_id=row.project_id,
        enabled=bool(row.enabled),
        reason=row.reason,
        source=SourceOf(row.type, json.loads(row.configuration)),
        criteria=None if row.criteria is None else json.loads(row.criteria),
        target=Target(
            kind=row.target_kind,
            id=row.target_id,
            version=row.target_version,
            alias=row.target_alias,
        ),
        input=None if row.input is None else json.loads(row.input),
        rate_limit=row.rate_limit,
        dedup_window=row.dedup_window,
        dedup_key=row.dedup_key,
        retry=Retry(row.retry_attempts, row.retry_interval),
        salt=row.salt,
        origin=row.origin,
        slot=row.slot,
        identity=lent.identity(row.identity, row.trust_id),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
