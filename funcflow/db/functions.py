"""Functions: a name, and a pointer to the revision that ``latest`` means.

Called by the API (changes inside ``Database.transact``), the submit path and the conductor.
``project_id`` None: of any project (administrators).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import sqlalchemy as sa

from funcflow import errors, ids, models
from funcflow.db import listing, locks, revisions, shares, tables, triggers

_t = tables.functions
_r = tables.revisions
_COUNT = (
    sa.select(sa.func.coalesce(sa.func.sum(tables.calls.c.count), 0))
    .where(tables.calls.c.function_id == _t.c.id, tables.calls.c.function_version == models.LATEST)
    .scalar_subquery()
)
_WHOLE = sa.select(
    _t.c.id,
    _t.c.name,
    _t.c.description,
    _t.c.project_id,
    _COUNT,
    _t.c.latest_version,
    _t.c.created_at,
    _t.c.updated_at,
    *revisions.COLUMNS,
).join_from(_t, _r, sa.and_(_r.c.function_id == _t.c.id, _r.c.number == _t.c.revision))
_OWN = 8
_LISTED = {
    "id": _t.c.id,
    "name": _t.c.name,
    "description": _t.c.description,
    "project_id": _t.c.project_id,
    "latest_version": _t.c.latest_version,
    "created_at": _t.c.created_at,
    "updated_at": _t.c.updated_at,
    "runtime_id": _r.c.runtime_id,
    "entry": _r.c.entry,
}


def create(
    connection: sa.Connection, function: models.Function, limit: int | None = None
) -> models.Function:
    """Keep a new function with its first revision. ``limit``: functions a project may have;
    None or -1: any number.

    :raises errors.NotFound: the runtime does not exist, or is another project's
    :raises errors.Forbidden: the project has as many as it may
    """
    locks.hold(connection, f"functions of {function.project_id}")
    if limit is not None and limit >= 0:
        have = connection.execute(
            sa.select(sa.func.count()).where(_t.c.project_id == function.project_id)
        ).scalar_one()
        if have >= limit:
            raise errors.Forbidden(
                f"the project has {have} functions, as many as it may ({limit})",
                hint="Delete functions you do not need, or ask your operator for more.",
                code="quota_exceeded",
            )
    _check_runtime(connection, function.revision)
    revisions.insert(connection, function.revision)
    connection.execute(
        sa.insert(_t).values(
            id=function.id,
            name=function.name,
            description=function.description,
            project_id=function.project_id,
            latest_version=function.latest_version,
            revision=function.revision.number,
            created_at=function.created_at,
            updated_at=function.updated_at,
        )
    )
    return function


def get(
    connection: sa.Connection, function_id: str, project_id: str | None = None
) -> models.Function:
    """:raises errors.NotFound: unknown, or another project's"""
    row = connection.execute(_WHOLE.where(_t.c.id == function_id)).first()
    if row is None or project_id not in (None, row.project_id):
        raise errors.NotFound(f"there is no function {function_id}")
    return _to_function(row)


def resolve(
    connection: sa.Connection, ref: str, project_id: str | None, own_project: str | None = None
) -> models.Function:
    """By id, or by a name that is unique in ``own_project`` (default: ``project_id``).

    :raises errors.NotFound: unknown, or another project's
    :raises errors.Conflict: several have the name
    """
    if ids.is_id(ref):
        return get(connection, ref.lower(), project_id)
    named = _WHOLE.where(_t.c.name == ref, _t.c.project_id == (own_project or project_id))
    found = connection.execute(named.limit(2)).all()
    if not found:
        raise errors.NotFound(f"there is no function {ref!r}")
    if len(found) > 1:
        raise errors.Conflict(f"several functions are named {ref!r}", hint="Use the id.")
    return _to_function(found[0])


def list_(
    connection: sa.Connection,
    query: listing.Query,
    scope: sa.ColumnElement[bool] | None = None,
) -> list[models.Function]:
    """A page of functions: of the query's project, or those in the ``scope``.

    :raises errors.BadRequest: an unknown field, operator, sort key or marker
    """
    found = listing.page(connection, _WHOLE, _LISTED, query, scope)
    return [_to_function(row) for row in found]


def name(connection: sa.Connection, function_id: str) -> str | None:
    """The function's name; None when it has none or is gone."""
    return connection.execute(sa.select(_t.c.name).where(_t.c.id == function_id)).scalar()


def max_concurrency(connection: sa.Connection, function_id: str) -> int | None:
    """Runs at the same time that ``latest`` allows now; None: no limit, or no such function."""
    s = tables.scaling
    query = (
        sa.select(_r.c.max_concurrency, s.c.max_workers * _r.c.concurrency)
        .join_from(_t, _r, sa.and_(_r.c.function_id == _t.c.id, _r.c.number == _t.c.revision))
        .outerjoin(s, s.c.function_id == _t.c.id)
        .where(_t.c.id == function_id)
    )
    # So many workers cannot run more at a time, wherever they are.
    bounds = [bound for bound in connection.execute(query).first() or () if bound is not None]
    return min(bounds, default=None)


def update(
    connection: sa.Connection,
    function_id: str,
    project_id: str | None,
    *,
    now: float,
    name: str | None = None,
    description: str | None = None,
) -> models.Function:
    """Change what workers do not see; None leaves it as it is.

    :raises errors.NotFound: unknown, or another project's
    """
    locked(connection, function_id, project_id)
    changes = {"name": name, "description": description}
    connection.execute(
        sa.update(_t)
        .where(_t.c.id == function_id)
        .values(updated_at=now, **{k: v for k, v in changes.items() if v is not None})
    )
    return get(connection, function_id)


def new_revision(
    connection: sa.Connection,
    function_id: str,
    project_id: str | None,
    revision: models.Revision,
    *,
    now: float,
) -> models.Function:
    """Make ``latest`` point to a new revision. Its number, function and project are set here.

    :raises errors.NotFound: the function or the runtime is unknown, or another project's
    """
    function = locked(connection, function_id, project_id)
    numbers = sa.select(sa.func.max(_r.c.number)).where(_r.c.function_id == function_id)
    newest = connection.execute(numbers).scalar_one()
    revision = dataclasses.replace(
        revision,
        function_id=function_id,
        project_id=function.project_id,
        number=newest + 1,
        created_at=now,
    )
    _check_runtime(connection, revision)
    revisions.insert(connection, revision)
    connection.execute(
        sa.update(_t).where(_t.c.id == function_id).values(revision=revision.number, updated_at=now)
    )
    revisions.retire(connection, function_id, now)
    return get(connection, function_id)


def delete(
    connection: sa.Connection, function_id: str, project_id: str | None, *, now: float
) -> models.Function:
    """Delete it with its versions. What runs, or is queued, keeps its revision to the end.

    :raises errors.NotFound: unknown, or another project's
    :raises errors.InUse: aliases point to it, or triggers would run it
    """
    function = locked(connection, function_id, project_id)
    trigger = triggers.with_target(connection, function_id, function.project_id)
    if trigger is not None:
        raise errors.InUse(f"trigger {trigger} would run function {function_id}")
    aliases = tables.aliases.c
    used = sa.select(aliases.name).where(aliases.function_id == function_id).limit(1)
    alias = connection.execute(used).scalar()
    if alias is not None:
        raise errors.InUse(f"alias {alias!r} points to function {function_id}")
    shares.forget(connection, "function", function_id)
    for table in (tables.scaling, tables.versions):
        connection.execute(sa.delete(table).where(table.c.function_id == function_id))
    connection.execute(sa.delete(_t).where(_t.c.id == function_id))
    connection.execute(sa.delete(tables.calls).where(tables.calls.c.function_id == function_id))
    revisions.retire(connection, function_id, now)
    return function


def locked(connection: sa.Connection, function_id: str, project_id: str | None) -> models.Function:
    """The function, which nobody else changes until this transaction ends.

    :raises errors.NotFound: unknown, or another project's
    """
    connection.execute(sa.select(_t.c.id).where(_t.c.id == function_id).with_for_update())
    return get(connection, function_id, project_id)


def _check_runtime(connection: sa.Connection, revision: models.Revision) -> None:
    """The runtime exists and stays while this transaction lasts."""
    if revision.runtime_id is None:
        return
    t = tables.runtimes
    row = connection.execute(
        sa.select(t.c.project_id, t.c.is_public)
        .where(t.c.id == revision.runtime_id)
        .with_for_update(read=True)
    ).first()
    if row is None or not (row.is_public or row.project_id == revision.project_id):
        raise errors.NotFound(f"there is no runtime {revision.runtime_id}")


def _to_function(row: Any) -> models.Function:
    return models.Function(
        id=row[0],
        name=row[1],
        description=row[2],
        project_id=row[3],
        count=int(row[4]),
        latest_version=row[5],
        created_at=row[6],
        updated_at=row[7],
        revision=revisions.to_revision(row[_OWN:]),
    )
