"""Versions: numbers that point to a function's revisions for good.

Called by the API (changes inside ``Database.transact``) and the submit path.
``project_id`` None: of any project (administrators).
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from funcflow import errors, ids, models
from funcflow.db import functions, listing, revisions, shares, tables

_t = tables.versions
_r = tables.revisions
_COUNT = (
    sa.select(sa.func.coalesce(sa.func.sum(tables.calls.c.count), 0))
    .where(
        tables.calls.c.function_id == _t.c.function_id,
        tables.calls.c.function_version == _t.c.version_number,
    )
    .scalar_subquery()
)
_WHOLE = sa.select(
    _t.c.id,
    _t.c.function_id,
    _t.c.version_number,
    _t.c.description,
    _t.c.project_id,
    _COUNT,
    _t.c.created_at,
    _t.c.updated_at,
    *revisions.COLUMNS,
).join_from(_t, _r, sa.and_(_r.c.function_id == _t.c.function_id, _r.c.number == _t.c.revision))
_OWN = 8
_LISTED = {
    "id": _t.c.id,
    "version_number": _t.c.version_number,
    "description": _t.c.description,
    "function_id": _t.c.function_id,
    "project_id": _t.c.project_id,
    "created_at": _t.c.created_at,
    "updated_at": _t.c.updated_at,
}


def create(
    connection: sa.Connection,
    function_id: str,
    project_id: str | None,
    *,
    description: str = "",
    now: float,
    limit: int | None = None,
) -> models.Version:
    """Give the function's revision of now the next number. ``limit``: versions it may have.

    :raises errors.NotFound: the function is unknown, or another project's
    :raises errors.Forbidden: nothing changed since the last version, or there are enough
    """
    function = functions.locked(connection, function_id, project_id)
    of_function = _t.c.function_id == function_id
    have = connection.execute(sa.select(sa.func.count()).where(of_function)).scalar_one()
    if limit is not None and have >= limit:
        raise errors.Forbidden(
            f"the function has {have} versions, as many as it may",
            hint="Delete versions you do not need.",
            code="limit_reached",
        )
    newest = sa.select(_t.c.revision).where(of_function).order_by(_t.c.version_number.desc())
    if connection.execute(newest.limit(1)).scalar() == function.revision.number:
        raise errors.Forbidden(
            "the function has not changed since its last version",
            hint="Change its code or settings first.",
            code="unchanged",
        )
    version = models.Version(
        id=ids.new(),
        function_id=function_id,
        version_number=function.latest_version + 1,
        description=description,
        project_id=function.project_id,
        revision=function.revision,
        created_at=now,
    )
    connection.execute(
        sa.insert(_t).values(
            id=version.id,
            function_id=function_id,
            version_number=version.version_number,
            description=description,
            project_id=version.project_id,
            revision=version.revision.number,
            created_at=now,
        )
    )
    connection.execute(
        sa.update(tables.functions)
        .where(tables.functions.c.id == function_id)
        .values(latest_version=version.version_number, updated_at=now)
    )
    return version


def get(
    connection: sa.Connection, function_id: str, number: int, project_id: str | None = None
) -> models.Version:
    """:raises errors.NotFound: unknown, or another project's"""
    query = _WHOLE.where(_t.c.function_id == function_id, _t.c.version_number == number)
    row = connection.execute(query).first()
    if row is None or project_id not in (None, row.project_id):
        raise errors.NotFound(f"there is no version {number} of function {function_id}")
    return _to_version(row)


def list_(
    connection: sa.Connection, function_id: str, query: listing.Query
) -> list[models.Version]:
    """A page of the function's versions.

    :raises errors.NotFound: the function is unknown, or another project's
    :raises errors.BadRequest: an unknown field, operator, sort key or marker
    """
    functions.get(connection, function_id, query.project_id)
    select = _WHOLE.where(_t.c.function_id == function_id)
    return [_to_version(row) for row in listing.page(connection, select, _LISTED, query)]


def describe(
    connection: sa.Connection,
    function_id: str,
    number: int,
    project_id: str | None,
    *,
    description: str,
    now: float,
) -> models.Version:
    """Change its description, the one thing of a version that may change.

    :raises errors.NotFound: unknown, or another project's
    """
    version = get(connection, function_id, number, project_id)
    connection.execute(
        sa.update(_t).where(_t.c.id == version.id).values(description=description, updated_at=now)
    )
    return get(connection, function_id, number, project_id)


def delete(
    connection: sa.Connection,
    function_id: str,
    number: int,
    project_id: str | None,
    *,
    now: float,
) -> None:
    """Delete it; what runs, or is queued, keeps its revision to the end. Numbers never return.

    :raises errors.NotFound: unknown, or another project's
    :raises errors.InUse: an alias points to it
    """
    functions.locked(connection, function_id, project_id)
    version = get(connection, function_id, number, project_id)
    aliases = tables.aliases.c
    used = connection.execute(
        sa.select(aliases.name, aliases.function_version, aliases.weights).where(
            aliases.function_id == function_id
        )
    )
    for name, function_version, weights in used:
        if function_version == number or f'"{number}":' in weights:
            raise errors.InUse(f"alias {name!r} points to version {number}")
    connection.execute(sa.delete(_t).where(_t.c.id == version.id))
    shares.forget(connection, "function", function_id, version=number)
    connection.execute(
        sa.delete(tables.calls).where(
            tables.calls.c.function_id == function_id, tables.calls.c.function_version == number
        )
    )
    revisions.retire(connection, function_id, now)


def _to_version(row: Any) -> models.Version:
    return models.Version(
        id=row[0],
        function_id=row[1],
        version_number=row[2],
        description=row[3],
        project_id=row[4],
        count=int(row[5]),
        created_at=row[6],
        updated_at=row[7],
        revision=revisions.to_revision(row[_OWN:]),
    )
