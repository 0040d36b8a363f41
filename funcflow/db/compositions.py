"""Compositions: a name, and a pointer to the revision that ``latest`` means.

Called by the API (changes inside ``Database.transact``), the starter and the conductor.
Names are unique in a project. ``project_id`` None: of any project (administrators).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import sqlalchemy as sa

from funcflow import errors, ids, models
from funcflow.db import composition_revisions as revisions
from funcflow.db import composition_tables, listing, locks, shares, tables, triggers

_t = composition_tables.compositions
_r = composition_tables.composition_revisions
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
).join_from(_t, _r, sa.and_(_r.c.composition_id == _t.c.id, _r.c.number == _t.c.revision))
_OWN = 8
_LISTED = {
    "id": _t.c.id,
    "name": _t.c.name,
    "description": _t.c.description,
    "project_id": _t.c.project_id,
    "latest_version": _t.c.latest_version,
    "created_at": _t.c.created_at,
    "updated_at": _t.c.updated_at,
    "type": _r.c.type,
}


def create(
    connection: sa.Connection, composition: models.Composition, limit: int | None = None
) -> models.Composition:
    """Keep a new composition with its first revision. ``limit``: how many a project may have.

    :raises errors.Conflict: the project has a composition of that name
    :raises errors.Forbidden: the project has as many as it may
    """
    locks.hold(connection, f"compositions of {composition.project_id}")
    mine = _t.c.project_id == composition.project_id
    if limit is not None:
        have = connection.execute(sa.select(sa.func.count()).where(mine)).scalar_one()
        if have >= limit:
            raise errors.Forbidden(
                f"the project has {have} compositions, as many as it may",
                hint="Delete compositions you do not need, or ask your operator for more.",
                code="limit_reached",
            )
    _check_name(connection, composition.project_id, composition.name)
    revisions.insert(connection, composition.revision)
    connection.execute(
        sa.insert(_t).values(
            id=composition.id,
            name=composition.name,
            description=composition.description,
            project_id=composition.project_id,
            latest_version=composition.latest_version,
            revision=composition.revision.number,
            created_at=composition.created_at,
            updated_at=composition.updated_at,
        )
    )
    return composition


def get(
    connection: sa.Connection, composition_id: str, project_id: str | None = None
) -> models.Composition:
    """:raises errors.NotFound: unknown, or another project's"""
    row = connection.execute(_WHOLE.where(_t.c.id == composition_id)).first()
    if row is None or project_id not in (None, row.project_id):
        raise errors.NotFound(f"there is no composition {composition_id}")
    return _to_composition(row)


def resolve(
    connection: sa.Connection, ref: str, project_id: str | None, own_project: str | None = None
) -> models.Composition:
    """By id, or by a name in ``own_project`` (default: ``project_id``).

    :raises errors.NotFound: unknown, or another project's
    """
    if ids.is_id(ref):
        return get(connection, ref.lower(), project_id)
    named = _WHOLE.where(_t.c.name == ref, _t.c.project_id == (own_project or project_id))
    row = connection.execute(named).first()
    if row is None:
        raise errors.NotFound(f"there is no composition {ref!r}")
    return _to_composition(row)


def revision(
    connection: sa.Connection, composition_id: str, number: int
) -> models.CompositionRevision:
    """One revision, also of a composition that was deleted since.

    :raises errors.NotFound: unknown, or gone with the last execution that needed it
    """
    return revisions.get(connection, composition_id, number)


def list_(
    connection: sa.Connection,
    query: listing.Query,
    scope: sa.ColumnElement[bool] | None = None,
) -> list[models.Composition]:
    """A page of compositions: of the query's project, or those in the ``scope``.

    :raises errors.BadRequest: an unknown field, operator, sort key or marker
    """
    found = listing.page(connection, _WHOLE, _LISTED, query, scope)
    return [_to_composition(row) for row in found]


def name(connection: sa.Connection, composition_id: str) -> str | None:
    """The composition's name; None when it is gone."""
    return connection.execute(sa.select(_t.c.name).where(_t.c.id == composition_id)).scalar()


def update(
    connection: sa.Connection,
    composition_id: str,
    project_id: str | None,
    *,
    now: float,
    name: str | None = None,
    description: str | None = None,
) -> models.Composition:
    """Change what executions do not see; None leaves it as it is.

    :raises errors.NotFound: unknown, or another project's
    :raises errors.Conflict: the project has another composition of that name
    """
    old = locked(connection, composition_id, project_id)
    if name is not None and name != old.name:
        locks.hold(connection, f"compositions of {old.project_id}")
        _check_name(connection, old.project_id, name)
    changes = {"name": name, "description": description}
    connection.execute(
        sa.update(_t)
        .where(_t.c.id == composition_id)
        .values(updated_at=now, **{k: v for k, v in changes.items() if v is not None})
    )
    return get(connection, composition_id)


def new_revision(
    connection: sa.Connection,
    composition_id: str,
    project_id: str | None,
    revision: models.CompositionRevision,
    *,
    now: float,
) -> models.Composition:
    """Make ``latest`` point to a new revision, unless it says the same as before. Its number,
    composition and project are set here.

    :raises errors.NotFound: unknown, or another project's
    """
    composition = locked(connection, composition_id, project_id)
    if _says(revision) == _says(composition.revision):
        return composition
    numbers = sa.select(sa.func.max(_r.c.number)).where(_r.c.composition_id == composition_id)
    newest = connection.execute(numbers).scalar_one()
    revision = dataclasses.replace(
        revision,
        composition_id=composition_id,
        project_id=composition.project_id,
        number=newest + 1,
        created_at=now,
    )
    revisions.insert(connection, revision)
    connection.execute(
        sa.update(_t)
        .where(_t.c.id == composition_id)
        .values(revision=revision.number, updated_at=now)
    )
    revisions.retire(connection, composition_id, now)
    return get(connection, composition_id)


def delete(
    connection: sa.Connection, composition_id: str, project_id: str | None, *, now: float
) -> models.Composition:
    """Delete it with its versions. Executions that are not over go on to their end.

    :raises errors.NotFound: unknown, or another project's
    :raises errors.InUse: aliases point to it, or triggers would start it
    """
    composition = locked(connection, composition_id, project_id)
    aliases = composition_tables.composition_aliases.c
    used = sa.select(aliases.name).where(aliases.composition_id == composition_id).limit(1)
    alias = connection.execute(used).scalar()
    if alias is not None:
        raise errors.InUse(f"alias {alias!r} points to composition {composition_id}")
    trigger = triggers.with_target(connection, composition_id, composition.project_id)
    if trigger is not None:
        raise errors.InUse(f"trigger {trigger} would start composition {composition_id}")
    versions = composition_tables.composition_versions
    connection.execute(sa.delete(versions).where(versions.c.composition_id == composition_id))
    shares.forget(connection, "composition", composition_id)
    connection.execute(sa.delete(_t).where(_t.c.id == composition_id))
    connection.execute(sa.delete(tables.calls).where(tables.calls.c.function_id == composition_id))
    revisions.retire(connection, composition_id, now)
    return composition


def locked(
    connection: sa.Connection, composition_id: str, project_id: str | None
) -> models.Composition:
    """The composition, which nobody else changes until this transaction ends.

    :raises errors.NotFound: unknown, or another project's
    """
    connection.execute(sa.select(_t.c.id).where(_t.c.id == composition_id).with_for_update())
    return get(connection, composition_id, project_id)


def _check_name(connection: sa.Connection, project_id: str, name: str) -> None:
    taken = sa.select(_t.c.id).where(_t.c.project_id == project_id, _t.c.name == name)
    if connection.execute(taken).first() is not None:
        raise errors.Conflict(f"there is a composition {name!r} already")


def _says(revision: models.CompositionRevision) -> tuple[object, ...]:
    return revision.type, revision.digest, revision.identity


def _to_composition(row: Any) -> models.Composition:
    return models.Composition(
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
