"""Aliases: names for versions of a composition, which may split the traffic.

Called by the API (changes inside ``Database.transact``) and the starter. Names are unique
in a composition. ``project_id`` None: of any project (administrators).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from funcflow import errors, models
from funcflow.db import composition_tables, compositions, listing, shares
from funcflow.db import composition_versions as versions

_t = composition_tables.composition_aliases
_LISTED = {column.name: column for column in _t.c if column.name != "weights"}


def create(connection: sa.Connection, alias: models.CompositionAlias) -> models.CompositionAlias:
    """Keep a new alias.

    :raises errors.NotFound: the composition or a version is unknown, or another project's
    :raises errors.Conflict: the composition has an alias of that name
    """
    numbers = {alias.composition_version, *alias.weights}
    _check(connection, alias.composition_id, alias.project_id, numbers)
    taken = sa.select(_t.c.id).where(
        _t.c.composition_id == alias.composition_id, _t.c.name == alias.name
    )
    if connection.execute(taken).first() is not None:
        raise errors.Conflict(f"there is an alias {alias.name!r} already")
    connection.execute(
        sa.insert(_t).values(
            id=alias.id,
            name=alias.name,
            description=alias.description,
            project_id=alias.project_id,
            composition_id=alias.composition_id,
            composition_version=alias.composition_version,
            weights=_weights_text(alias.weights),
            created_at=alias.created_at,
            updated_at=alias.updated_at,
        )
    )
    return alias


def get(
    connection: sa.Connection, composition_id: str, name: str, project_id: str | None = None
) -> models.CompositionAlias:
    """:raises errors.NotFound: there is no such alias, or it is another project's"""
    query = sa.select(_t).where(_t.c.composition_id == composition_id, _t.c.name == name)
    row = connection.execute(query).first()
    if row is None or project_id not in (None, row.project_id):
        raise errors.NotFound(f"composition {composition_id} has no alias {name!r}")
    return _to_alias(row)


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
    select = sa.select(_t).where(_t.c.composition_id == composition_id)
    if among is not None:
        select = select.where(_t.c.name.in_(among))
    return [_to_alias(row) for row in listing.page(connection, select, _LISTED, query)]


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
    old = get(connection, composition_id, name, project_id)
    number = old.composition_version if composition_version is None else composition_version
    weights = old.weights if weights is None else weights
    _check(connection, composition_id, project_id, {number, *weights})
    connection.execute(
        sa.update(_t)
        .where(_t.c.id == old.id)
        .values(
            composition_version=number,
            weights=_weights_text(weights),
            description=old.description if description is None else description,
            updated_at=now,
        )
    )
    return get(connection, composition_id, name)


def delete(
    connection: sa.Connection, composition_id: str, name: str, project_id: str | None
) -> None:
    """Delete it, and the shares narrowed to it.

    :raises errors.NotFound: there is no such alias, or it is another project's
    """
    alias = get(connection, composition_id, name, project_id)
    connection.execute(sa.delete(_t).where(_t.c.id == alias.id))
    shares.forget(connection, "composition", composition_id, alias=name)


def _check(
    connection: sa.Connection, composition_id: str, project_id: str | None, numbers: Iterable[int]
) -> None:
    """The composition and the versions exist, and stay while this transaction lasts."""
    compositions.locked(connection, composition_id, project_id)
    for number in numbers:
        if number != models.LATEST:
            versions.get(connection, composition_id, number, project_id)


def _weights_text(weights: Mapping[int, float]) -> str:
    return json.dumps({str(number): weight for number, weight in sorted(weights.items())})


def _to_alias(row: Any) -> models.CompositionAlias:
    return models.CompositionAlias(
        id=row.id,
        name=row.name,
        description=row.description,
        project_id=row.project_id,
        composition_id=row.composition_id,
        composition_version=row.composition_version,
        weights={int(number): weight for number, weight in json.loads(row.weights).items()},
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
