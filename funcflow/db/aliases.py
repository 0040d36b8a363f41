"""Aliases: names for versions, which may split the traffic.

Called by the API (changes inside ``Database.transact``) and the submit path. Names are unique
in a project. ``project_id`` None: of any project (administrators).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from funcflow import errors, models
from funcflow.db import functions, listing, shares, tables, versions

_t = tables.aliases
_LISTED = {column.name: column for column in _t.c if column.name != "weights"}


def create(connection: sa.Connection, alias: models.Alias) -> models.Alias:
    """Keep a new alias.

    :raises errors.NotFound: the function or a version is unknown, or another project's
    :raises errors.Conflict: the project has an alias of that name
    """
    numbers = {alias.function_version, *alias.weights}
    _check(connection, alias.function_id, alias.project_id, numbers)
    taken = sa.select(_t.c.id).where(_t.c.project_id == alias.project_id, _t.c.name == alias.name)
    if connection.execute(taken).first() is not None:
        raise errors.Conflict(f"there is an alias {alias.name!r} already")
    connection.execute(
        sa.insert(_t).values(
            id=alias.id,
            name=alias.name,
            description=alias.description,
            project_id=alias.project_id,
            function_id=alias.function_id,
            function_version=alias.function_version,
            weights=_weights_text(alias.weights),
            created_at=alias.created_at,
            updated_at=alias.updated_at,
        )
    )
    return alias


def get(connection: sa.Connection, name: str, project_id: str) -> models.Alias:
    """:raises errors.NotFound: the project has no such alias"""
    row = connection.execute(
        sa.select(_t).where(_t.c.project_id == project_id, _t.c.name == name)
    ).first()
    if row is None:
        raise errors.NotFound(f"there is no alias {name!r}")
    return _to_alias(row)


def list_(connection: sa.Connection, query: listing.Query) -> list[models.Alias]:
    """A page of aliases.

    :raises errors.BadRequest: an unknown field, operator, sort key or marker
    """
    return [_to_alias(row) for row in listing.page(connection, sa.select(_t), _LISTED, query)]


def update(
    connection: sa.Connection,
    name: str,
    project_id: str,
    *,
    now: float,
    function_id: str | None = None,
    function_version: int | None = None,
    weights: Mapping[int, float] | None = None,
    description: str | None = None,
) -> models.Alias:
    """Point it elsewhere; None leaves it as it is.

    :raises errors.NotFound: the alias, the function or a version is unknown
    """
    old = get(connection, name, project_id)
    function_id = old.function_id if function_id is None else function_id
    function_version = old.function_version if function_version is None else function_version
    weights = old.weights if weights is None else weights
    _check(connection, function_id, project_id, {function_version, *weights})
    connection.execute(
        sa.update(_t)
        .where(_t.c.id == old.id)
        .values(
            function_id=function_id,
            function_version=function_version,
            weights=_weights_text(weights),
            description=old.description if description is None else description,
            updated_at=now,
        )
    )
    return get(connection, name, project_id)


def delete(connection: sa.Connection, name: str, project_id: str) -> None:
    """Delete it, and the shares narrowed to it: the next one of its name is another.

    :raises errors.NotFound: the project has no such alias
    """
    alias = get(connection, name, project_id)
    connection.execute(sa.delete(_t).where(_t.c.id == alias.id))
    shares.forget(connection, "function", alias.function_id, alias=name)


def _check(
    connection: sa.Connection, function_id: str, project_id: str, numbers: Iterable[int]
) -> None:
    """The function and the versions exist, and stay while this transaction lasts."""
    functions.locked(connection, function_id, project_id)
    for number in numbers:
        if number != models.LATEST:
            versions.get(connection, function_id, number, project_id)


def _weights_text(weights: Mapping[int, float]) -> str:
    return json.dumps({str(number): weight for number, weight in sorted(weights.items())})


def _to_alias(row: Any) -> models.Alias:
    return models.Alias(
        id=row.id,
        name=row.name,
        description=row.description,
        project_id=row.project_id,
        function_id=row.function_id,
        function_version=row.function_version,
        weights={int(number): weight for number, weight in json.loads(row.weights).items()},
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
