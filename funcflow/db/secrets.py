"""Secrets of projects, sealed.

Called by the API and ``funcflow secret reencrypt`` (changes inside ``Database.transact``), and by
the conductor. Names are unique in a project.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

import sqlalchemy as sa

from funcflow import errors, ids, models
from funcflow.db import listing, tenancy_tables

_t = tenancy_tables.secrets
_LISTED = {column.name: column for column in _t.c if column.name != "sealed"}


def create(connection: sa.Connection, secret: models.Secret, most: int) -> models.Secret:
    """Keep a new secret.

    :param most: how many the project may have
    :raises errors.Conflict: the project has one of that name
    :raises errors.Forbidden: the project has as many as it may
    """
    mine = _t.c.project_id == secret.project_id
    count = sa.select(sa.func.count()).select_from(_t).where(mine)
    if connection.execute(count).scalar_one() >= most:
        raise errors.Forbidden(
            f"the project has {most} secrets, as many as it may",
            hint="Delete secrets that no function uses, or ask your operator for more.",
            code="limit_reached",
        )
    taken = sa.select(_t.c.id).where(mine, _t.c.name == secret.name)
    if connection.execute(taken).first() is not None:
        raise errors.Conflict(
            f"there is a secret {secret.name!r} already",
            hint="Replace its value, or choose another name.",
        )
    connection.execute(sa.insert(_t).values({c.name: getattr(secret, c.name) for c in _t.c}))
    return secret


def resolve(
    connection: sa.Connection, ref: str, project_id: str | None, own_project: str
) -> models.Secret:
    """By id, or by a name in ``own_project``. ``project_id`` None: of any project.

    :raises errors.NotFound: unknown, or another project's
    """
    if ids.is_id(ref):
        query = sa.select(_t).where(_t.c.id == ref.lower())
    else:
        query = sa.select(_t).where(_t.c.name == ref, _t.c.project_id == own_project)
    row = connection.execute(query).first()
    if row is None or project_id not in (None, row.project_id):
        raise errors.NotFound(f"there is no secret {ref!r}")
    return _to_secret(row)


def named(
    connection: sa.Connection, project_id: str, names: Collection[str]
) -> dict[str, models.Secret]:
    """Those of the project that are there, by name."""
    query = sa.select(_t).where(_t.c.project_id == project_id, _t.c.name.in_(names))
    return {row.name: _to_secret(row) for row in connection.execute(query)}


def list_(connection: sa.Connection, query: listing.Query) -> list[models.Secret]:
    """
    :raises errors.BadRequest: an unknown field, operator, sort key or marker
    """
    return [_to_secret(row) for row in listing.page(connection, sa.select(_t), _LISTED, query)]


def replace(
    connection: sa.Connection,
    secret_id: str,
    change: Callable[[models.Secret], models.Secret],
) -> models.Secret:
    """Change a secret, which nobody else changes meanwhile.

    :raises errors.NotFound: it is gone
    """
    query = sa.select(_t).where(_t.c.id == secret_id).with_for_update()
    row = connection.execute(query).first()
    if row is None:
        raise errors.NotFound(f"there is no secret {secret_id}")
    changed = change(_to_secret(row))
    values = {
        name: getattr(changed, name)
        for name in ("description", "version", "sealed", "barbican", "updated_at")
    }
    connection.execute(sa.update(_t).where(_t.c.id == secret_id).values(values))
    return changed


def delete(connection: sa.Connection, secret_id: str) -> None:
    """:raises errors.NotFound: it is gone"""
    gone = connection.execute(sa.delete(_t).where(_t.c.id == secret_id))
    if gone.rowcount == 0:
        raise errors.NotFound(f"there is no secret {secret_id}")


def sealed(connection: sa.Connection) -> Iterator[models.Secret]:
    """Those of all projects whose values are kept here."""
    query = sa.select(_t).where(_t.c.sealed.is_not(None)).order_by(_t.c.id)
    return map(_to_secret, connection.execute(query))


def _to_secret(row: Any) -> models.Secret:
    return models.Secret(**row._mapping)
