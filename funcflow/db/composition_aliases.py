"""Aliases of compositions, whose names are unique in a composition. Called by the API (changes
inside ``Database.transact``) and the starter; see :mod:`funcflow.db.aliasing`.
``project_id`` None: of any project (administrators)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from funcflow import errors, models
from funcflow.db import composition_tables, compositions, listing
from funcflow.db import composition_versions as versions
from funcflow.db.aliasing import Aliases
from funcflow.db.kinds import KINDS

_t = composition_tables.composition_aliases.c
_of = Aliases(
    KINDS["composition"], compositions, versions.OF, models.CompositionAlias, "composition_id"
)
create = _of.create


def get(
    connection: sa.Connection, composition_id: str, name: str, project_id: str | None = None
) -> models.CompositionAlias:
    """:raises errors.NotFound: there is no such alias, or it is another project's"""
    found = _of.find(connection, composition_id, name)
    if found is None or project_id not in (None, found.project_id):
        raise errors.NotFound(f"composition {composition_id} has no alias {name!r}")
    return found


def list_(
    connection: sa.Connection,
    composition_id: str,
    query: listing.Query,
    among: Collection[str] | None = None,
) -> list[models.CompositionAlias]:
    """A page of the composition's aliases, or of those ``among`` these names.

    :raises errors.NotFound: the composition is unknown, or another project's
    :raises errors.BadRequest: an unknown field, operator, sort key or marker
    """
    compositions.get(connection, composition_id, query.project_id)
    where = [_t.composition_id == composition_id]
    if among is not None:
        where.append(_t.name.in_(among))
    return _of.page(connection, query, where)


def update(
    connection: sa.Connection,
    composition_id: str,
    name: str,
    project_id: str | None,
    *,
    now: float,
    composition_version: int | None = None,
    weights: Mapping[int, float] | None = None,
    description: str | None = None,
) -> models.CompositionAlias:
    """Point it elsewhere; None leaves it as it is.

    :raises errors.NotFound: the alias or a version is unknown
    """
    return _of.change(
        connection, get(connection, composition_id, name, project_id), project_id, now,
        composition_version=composition_version, weights=weights, description=description,
    )  # fmt: skip


def delete(
    connection: sa.Connection, composition_id: str, name: str, project_id: str | None
) -> None:
    """:raises errors.NotFound: there is no such alias, or it is another project's"""
    _of.delete(connection, get(connection, composition_id, name, project_id))
