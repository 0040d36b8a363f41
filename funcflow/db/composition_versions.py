"""Versions: numbers that point to a composition's revisions for good.

Called by the API (changes inside ``Database.transact``) and the starter.
``project_id`` None: of any project (administrators).
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from funcflow import errors, ids, models
from funcflow.db import composition_revisions as revisions
from funcflow.db import composition_tables, compositions, listing, shares, tables

_t = composition_tables.composition_versions
_r = composition_tables.composition_revisions
_COUNT = (
    sa.select(sa.func.coalesce(sa.func.sum(tables.calls.c.count), 0))
    .where(
        tables.calls.c.function_id == _t.c.composition_id,
        tables.calls.c.function_version == _t.c.version_number,
    )
    .scalar_subquery()
)
_WHOLE = sa.select(
    _t.c.id,
    _t.c.composition_id,
    _t.c.version_number,
    _t.c.description,
    _t.c.project_id,
    _COUNT,
    _t.c.created_at,
    _t.c.updated_at,
    *revisions.COLUMNS,
).join_from(
    _t, _r, sa.and_(_r.c.composition_id == _t.c.composition_id, _r.c.number == _t.c.revision)
)
_OWN = 8
_LISTED = {
    "id": _t.c.id,
    "version_number": _t.c.version_number,
    "description": _t.c.description,
    "composition_id": _t.c.composition_id,
    "project_id": _t.c.project_id,
    "created_at": _t.c.created_at,
    "updated_at": _t.c.updated_at,
}


def create(
    connection: sa.Connection,
    composition_id: str,
    project_id: str | None,
    *,
    description: str = "",
    now: float,
    limit: int | None = None,
) -> models.CompositionVersion:
    """Give the composition's revision of now the next number. ``limit``: versions it may have.

    :raises errors.NotFound: the composition is unknown, or another project's
    :raises errors.Forbidden: nothing changed since the last version, or there are enough
    """
    composition = compositions.locked(connection, composition_id, project_id)
    of_composition = _t.c.composition_id == composition_id
    have = connection.execute(sa.select(sa.func.count()).where(of_composition)).scalar_one()
    if limit is not None and have >= limit:
        raise errors.Forbidden(
            f"the composition has {have} versions, as many as it may",
            hint="Delete versions you do not need.",
            code="limit_reached",
        )
    newest = sa.select(_t.c.revision).where(of_composition).order_by(_t.c.version_number.desc())
    if connection.execute(newest.limit(1)).scalar() == composition.revision.number:
        raise errors.Forbidden(
            "the composition has not changed since its last version",
            hint="Change its definition first.",
            code="unchanged",
        )
    version = models.CompositionVersion(
        id=ids.new(),
        composition_id=composition_id,
        version_number=composition.latest_version + 1,
        description=description,
        project_id=composition.project_id,
        revision=composition.revision,
        created_at=now,
    )
    connection.execute(
        sa.insert(_t).values(
            id=version.id,
            composition_id=composition_id,
            version_number=version.version_number,
            description=description,
            project_id=version.project_id,
            revision=version.revision.number,
            created_at=now,
        )
    )
    connection.execute(
        sa.update(composition_tables.compositions)
        .where(composition_tables.compositions.c.id == composition_id)
        .values(latest_version=version.version_number, updated_at=now)
    )
    return version


def get(
    connection: sa.Connection, composition_id: str, number: int, project_id: str | None = None
) -> models.CompositionVersion:
    """:raises errors.NotFound: unknown, or another project's"""
    query = _WHOLE.where(_t.c.composition_id == composition_id, _t.c.version_number == number)
    row = connection.execute(query).first()
    if row is None or project_id not in (None, row.project_id):
        raise errors.NotFound(f"there is no version {number} of composition {composition_id}")
    return _to_version(row)


def list_(
    connection: sa.Connection, composition_id: str, query: listing.Query
) -> list[models.CompositionVersion]:
    """A page of the composition's versions.

    :raises errors.NotFound: the composition is unknown, or another project's
    :raises errors.BadRequest: an unknown field, operator, sort key or marker
    """
    compositions.get(connection, composition_id, query.project_id)
    select = _WHOLE.where(_t.c.composition_id == composition_id)
    return [_to_version(row) for row in listing.page(connection, select, _LISTED, query)]


def describe(
    connection: sa.Connection,
    composition_id: str,
    number: int,
    project_id: str | None,
    *,
    description: str,
    now: float,
) -> models.CompositionVersion:
    """Change its description, the one thing of a version that may change.

    :raises errors.NotFound: unknown, or another project's
    """
    version = get(connection, composition_id, number, project_id)
    connection.execute(
        sa.update(_t).where(_t.c.id == version.id).values(description=description, updated_at=now)
    )
    return get(connection, composition_id, number, project_id)


def delete(
    connection: sa.Connection,
    composition_id: str,
    number: int,
    project_id: str | None,
    *,
    now: float,
) -> None:
    """Delete it; executions that are not over keep its revision. Numbers never return.

    :raises errors.NotFound: unknown, or another project's
    :raises errors.InUse: an alias points to it
    """
    compositions.locked(connection, composition_id, project_id)
    version = get(connection, composition_id, number, project_id)
    aliases = composition_tables.composition_aliases.c
    used = connection.execute(
        sa.select(aliases.name, aliases.composition_version, aliases.weights).where(
            aliases.composition_id == composition_id
        )
    )
    for name, version_number, weights in used:
        if version_number == number or f'"{number}":' in weights:
            raise errors.InUse(f"alias {name!r} points to version {number}")
    connection.execute(sa.delete(_t).where(_t.c.id == version.id))
    shares.forget(connection, "composition", composition_id, version=number)
    connection.execute(
        sa.delete(tables.calls).where(
            tables.calls.c.function_id == composition_id, tables.calls.c.function_version == number
        )
    )
    revisions.retire(connection, composition_id, now)


def _to_version(row: Any) -> models.CompositionVersion:
    return models.CompositionVersion(
        id=row[0],
        composition_id=row[1],
        version_number=row[2],
        description=row[3],
        project_id=row[4],
        count=int(row[5]),
        created_at=row[6],
        updated_at=row[7],
        revision=revisions.to_revision(row[_OWN:]),
    )
