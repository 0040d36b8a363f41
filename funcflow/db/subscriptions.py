"""Subscriptions: who wants to be told of which changes of state.

Called by the API (changes inside ``Database.transact``) and by conductors. Names are unique in a
project. ``project_id`` None: of any project (administrators).
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from funcflow import errors, ids
from funcflow.db import listing, locks, subscription_tables
from funcflow.subscriptions import Destination, Subscription

_t = subscription_tables.subscriptions
_lanes = subscription_tables.notice_lanes
_notices = subscription_tables.notices
_LISTED = {
    name: _t.c[name]
    for name in (
        "id", "name", "description", "project_id", "enabled", "kind", "target_id", "type",
        "created_at", "updated_at",
    )
}  # fmt: skip


def create(connection: sa.Connection, subscription: Subscription, limit: int) -> Subscription:
    """Keep a new one. ``limit``: how many a project may have.

    :raises errors.Conflict: the project has one of that name
    :raises errors.Forbidden: the project has as many as it may
    """
    locks.hold(connection, f"subscriptions of {subscription.project_id}")
    mine = _t.c.project_id == subscription.project_id
    have = connection.execute(sa.select(sa.func.count()).where(mine)).scalar_one()
    if have >= limit:
        raise errors.Forbidden(
            f"the project has {have} subscriptions, as many as it may",
            hint="Delete subscriptions you do not need, or ask your operator for more.",
            code="limit_reached",
        )
    _check_name(connection, subscription)
    connection.execute(sa.insert(_t).values(**_row(subscription)))
    connection.execute(sa.insert(_lanes).values(id=subscription.id, due_at=0.0, attempts=0))
    return subscription


def find(connection: sa.Connection, subscription_id: str) -> Subscription | None:
    """None: it is gone."""
    row = connection.execute(sa.select(_t).where(_t.c.id == subscription_id)).first()
    return None if row is None else to_subscription(row)


def resolve(
    connection: sa.Connection, ref: str, project_id: str | None, own_project: str | None = None
) -> Subscription:
    """By id, or by a name in ``own_project`` (default: ``project_id``).

    :raises errors.NotFound: unknown, or another project's
    """
    if ids.is_id(ref):
        found = find(connection, ref.lower())
        if found is not None and project_id in (None, found.project_id):
            return found
        raise errors.NotFound(f"there is no subscription {ref}")
    named = sa.select(_t).where(_t.c.name == ref, _t.c.project_id == (own_project or project_id))
    row = connection.execute(named).first()
    if row is None:
        raise errors.NotFound(f"there is no subscription {ref!r}")
    return to_subscription(row)


def list_(connection: sa.Connection, query: listing.Query) -> list[Subscription]:
    """A page of them.

    :raises errors.BadRequest: an unknown field, operator, sort key or marker
    """
    return [to_subscription(row) for row in listing.page(connection, sa.select(_t), _LISTED, query)]


def update(connection: sa.Connection, subscription: Subscription) -> Subscription:
    """Make the row as the subscription is now. What waits is tried at once.

    :raises errors.NotFound: it is gone
    :raises errors.Conflict: the project has another one of that name
    """
    locks.hold(connection, f"subscriptions of {subscription.project_id}")
    _check_name(connection, subscription)
    changed = connection.execute(
        sa.update(_t).where(_t.c.id == subscription.id).values(**_row(subscription))
    ).rowcount
    if not changed:
        raise errors.NotFound(f"there is no subscription {subscription.id}")
    lane = sa.update(_lanes).where(_lanes.c.id == subscription.id, _lanes.c.attempts > 0)
    connection.execute(lane.values(due_at=0.0, attempts=0))
    waiting = sa.update(_notices).where(_is_of(subscription.id), _notices.c.stage == "due")
    connection.execute(waiting.values(due_at=0.0))
    return subscription


def disable(connection: sa.Connection, subscription_id: str, reason: str, now: float) -> None:
    """Let it rest until somebody has looked at the reason."""
    connection.execute(
        sa.update(_t)
        .where(_t.c.id == subscription_id, _t.c.enabled)
        .values(enabled=False, reason=reason, updated_at=now)
    )


def delete(connection: sa.Connection, subscription_id: str) -> None:
    """With all that was still to be told.

    :raises errors.NotFound: it is gone
    """
    connection.execute(sa.delete(_notices).where(_is_of(subscription_id)))
    connection.execute(sa.delete(_lanes).where(_lanes.c.id == subscription_id))
    if not connection.execute(sa.delete(_t).where(_t.c.id == subscription_id)).rowcount:
        raise errors.NotFound(f"there is no subscription {subscription_id}")


def of_lanes(connection: sa.Connection, lanes: Collection[str]) -> dict[str, Subscription]:
    """By id."""
    rows = connection.execute(sa.select(_t).where(_t.c.id.in_(lanes)))
    return {row.id: to_subscription(row) for row in rows}


def _is_of(lane: str) -> sa.ColumnElement[bool]:
    return _notices.c.lane == lane


def _check_name(connection: sa.Connection, subscription: Subscription) -> None:
    if subscription.name is None:
        return
    taken = sa.select(_t.c.id).where(
        _t.c.project_id == subscription.project_id,
        _t.c.name == subscription.name,
        _t.c.id != subscription.id,
    )
    if connection.execute(taken).first() is not None:
        raise errors.Conflict(f"there is a subscription {subscription.name!r} already")


def _row(subscription: Subscription) -> dict[str, Any]:
    return {
        "id": subscription.id,
        "name": subscription.name,
        "description": subscription.description,
        "project_id": subscription.project_id,
        "enabled": subscription.enabled,
        "reason": subscription.reason,
        "kind": subscription.kind,
        "target_id": subscription.target_id,
        "states": json.dumps(subscription.states),
        "type": subscription.destination.type,
        "configuration": json.dumps(dict(subscription.destination.configuration)),
        "include": json.dumps(subscription.include),
        "salt": subscription.salt,
        "created_at": subscription.created_at,
        "updated_at": subscription.updated_at,
    }


def to_subscription(row: Any) -> Subscription:
    """From a whole row."""
    return Subscription(
        id=row.id,
        name=row.name,
        description=row.description,
        project_id=row.project_id,
        enabled=bool(row.enabled),
        reason=row.reason,
        kind=row.kind,
        target_id=row.target_id,
        states=tuple(json.loads(row.states)),
        destination=Destination(row.type, json.loads(row.configuration)),
        include=tuple(json.loads(row.include)),
        salt=row.salt,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
