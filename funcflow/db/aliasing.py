"""Aliases: names for versions, which may split the traffic, of functions and of compositions alike.

Used by :mod:`funcflow.db.aliases` and :mod:`funcflow.db.composition_aliases`, which say what a name
is unique in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from funcflow import errors, models
from funcflow.db import listing, shares
from funcflow.db.kinds import Kind
from funcflow.db.versioning import Resources, Versions

A = TypeVar("A", bound=models.Alias | models.CompositionAlias)


class Aliases(Generic[A]):
    """Those of one kind. ``within``: the column of what a name is unique in."""

    def __init__(
        self,
        kind: Kind,
        resources: Resources,
        versions: Versions[Any],
        model: Callable[..., A],
        within: str,
    ) -> None:
        self._kind, self._resources, self._versions, self._model = kind, resources, versions, model
        self._t = kind.aliases
        self._within = self._t.c[within]
        self._version = f"{kind.name}_version"
        self._listed = {column.name: column for column in self._t.c if column.name != "weights"}

    def create(self, connection: sa.Connection, alias: A) -> A:
        """Keep a new alias.

        :raises errors.NotFound: what it is for, or a version, is unknown, or another project's
        :raises errors.Conflict: there is one of that name
        """
        values = {name: getattr(alias, name) for name in self._listed}
        numbers = {values[self._version], *alias.weights}
        self._check(connection, values[self._kind.key], alias.project_id, numbers)
        if self.find(connection, values[self._within.name], alias.name) is not None:
            raise errors.Conflict(f"there is an alias {alias.name!r} already")
        text = _weights_text(alias.weights)
        connection.execute(sa.insert(self._t).values(**values, weights=text))
        return alias

    def find(self, connection: sa.Connection, within: str, name: str) -> A | None:
        """The one of that name, or None."""
        mine = (self._within == within, self._t.c.name == name)
        row = connection.execute(sa.select(self._t).where(*mine)).first()
        return None if row is None else self._to_alias(row)

    def page(
        self,
        connection: sa.Connection,
        query: listing.Query,
        where: Sequence[sa.ColumnElement[bool]] = (),
    ) -> list[A]:
        """A page of them.

        :raises errors.BadRequest: an unknown field, operator, sort key or marker
        """
        select = sa.select(self._t).where(*where)
        return [self._to_alias(r) for r in listing.page(connection, select, self._listed, query)]

    def change(
        self, connection: sa.Connection, old: A, project_id: str | None, now: float, **changes: Any
    ) -> A:
        """Point it elsewhere; None leaves it as it is.

        :raises errors.NotFound: what it is to point to is unknown, or another project's
        """
        given = {name: value for name, value in changes.items() if value is not None}
        after: dict[str, Any] = {
            name: given.get(name, getattr(old, name)) for name in (*self._listed, "weights")
        }
        numbers = {after[self._version], *after["weights"]}
        self._check(connection, after[self._kind.key], project_id, numbers)
        after.update(weights=_weights_text(after["weights"]), updated_at=now)
        connection.execute(sa.update(self._t).where(self._t.c.id == old.id).values(after))
        changed = sa.select(self._t).where(self._t.c.id == old.id)
        return self._to_alias(connection.execute(changed).one())

    def delete(self, connection: sa.Connection, alias: A) -> None:
        """Delete it, and the shares narrowed to it: the next one of its name is another."""
        connection.execute(sa.delete(self._t).where(self._t.c.id == alias.id))
        resource_id = getattr(alias, self._kind.key)
        shares.forget(connection, self._kind.name, resource_id, alias=alias.name)

    def _check(
        self,
        connection: sa.Connection,
        resource_id: str,
        project_id: str | None,
        numbers: Iterable[int],
    ) -> None:
        """What it points to exists, and stays while this transaction lasts."""
        self._resources.locked(connection, resource_id, project_id)
        for number in numbers:
            if number != models.LATEST:
                self._versions.get(connection, resource_id, number, project_id)

    def _to_alias(self, row: Any) -> A:
        weights = {int(number): weight for number, weight in json.loads(row.weights).items()}
        return self._model(**{**row._mapping, "weights": weights})


def _weights_text(weights: Mapping[int, float]) -> str:
    return json.dumps({str(number): weight for number, weight in sorted(weights.items())})
