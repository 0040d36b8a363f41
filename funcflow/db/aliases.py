"""Aliases of functions, whose names are unique in a project. Called by the API (changes inside
``Database.transact``) and the submit path; see :mod:`funcflow.db.aliasing`."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from funcflow import errors, models
from funcflow.db import functions, listing, versions
from funcflow.db.aliasing import Aliases
from funcflow.db.kinds import KINDS

_of = Aliases(KINDS["function"], functions, versions.OF, models.Alias, "project_id")
create = _of.create


def get(connection: sa.Connection, name: str, project_id: str) -> models.Alias:
    """:raises errors.NotFound: the project has no such alias"""
    found = _of.find(connection, project_id, name)
    if found is None:
        raise errors.NotFound(f"there is no alias {name!r}")
    return found


def list_(connection: sa.Connection, query: listing.Query) -> list[models.Alias]:
    """A page of aliases; errors as of :meth:`Aliases.page`."""
    return _of.page(connection, query)


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
    return _of.change(
        connection, get(connection, name, project_id), project_id, now, function_id=function_id,
        function_version=function_version, weights=weights, description=description,
    )  # fmt: skip


def delete(connection: sa.Connection, name: str, project_id: str) -> None:
    """:raises errors.NotFound: the project has no such alias"""
    _of.delete(connection, get(connection, name, project_id))
