"""Versions: numbers that point to revisions for good, of functions and of compositions alike.

Used by :mod:`funcflow.db.versions` and :mod:`funcflow.db.composition_versions`, each of which is
this for one of the two. ``project_id`` None: of any project (administrators).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

import sqlalchemy as sa

from funcflow import errors, ids
from funcflow.db import listing, shares, tables
from funcflow.db.kinds import Kind

V = TypeVar("V")


class Resources(Protocol):
    """:mod:`funcflow.db.functions` or :mod:`funcflow.db.compositions`."""

    def locked(self, connection: sa.Connection, id_: str, project_id: str | None, /) -> Any: ...

    def get(self, connection: sa.Connection, id_: str, project_id: str | None, /) -> Any: ...


class Revisions(Protocol):
    """:mod:`funcflow.db.revisions` or :mod:`funcflow.db.composition_revisions`."""

    COLUMNS: tuple[sa.Column[Any], ...]

    def to_revision(self, row: Any, /) -> Any: ...

    def retire(self, connection: sa.Connection, id_: str, now: float, /) -> None: ...


class Versions(Generic[V]):
    """Those of one kind."""

    def __init__(
        self,
        kind: Kind,
        resources: Resources,
        revisions: Revisions,
        model: Callable[..., V],
        change: str,
    ) -> None:
        """
        :param model: makes one
        :param change: what must be changed for there to be another version
        """
        self._kind, self._resources, self._revisions = kind, resources, revisions
        self._model, self._change = model, change
        t, r = kind.versions.c, kind.revisions.c
        self._of = t[kind.key]
        count = (
            sa.select(sa.func.coalesce(sa.func.sum(tables.calls.c.count), 0))
            .where(
                tables.calls.c.function_id == self._of,
                tables.calls.c.function_version == t.version_number,
            )
            .scalar_subquery()
        )
        own = (t.id, self._of, t.version_number, t.description, t.project_id, count,
               t.created_at, t.updated_at)  # fmt: skip
        self._own = len(own)
        self._whole = sa.select(*own, *revisions.COLUMNS).join_from(
            kind.versions,
            kind.revisions,
            sa.and_(r[kind.key] == self._of, r.number == t.revision),
        )
        self._listed = {column.name: column for column in t if column.name != "revision"}

    def create(
        self,
        connection: sa.Connection,
        resource_id: str,
        project_id: str | None,
        *,
        description: str = "",
        now: float,
        limit: int | None = None,
    ) -> V:
        """Give the revision of now the next number. ``limit``: versions there may be.

        :raises errors.NotFound: what is to get a version is unknown, or another project's
        :raises errors.Forbidden: nothing changed since the last version, or there are enough
        """
        kind, table = self._kind, self._kind.versions
        found = self._resources.locked(connection, resource_id, project_id)
        mine = self._of == resource_id
        have = connection.execute(sa.select(sa.func.count()).where(mine)).scalar_one()
        if limit is not None and have >= limit:
            raise errors.Forbidden(
                f"the {kind.name} has {have} versions, as many as it may",
                hint="Delete versions you do not need.",
                code="limit_reached",
            )
        newest = sa.select(table.c.revision).where(mine).order_by(table.c.version_number.desc())
        if connection.execute(newest.limit(1)).scalar() == found.revision.number:
            raise errors.Forbidden(
                f"the {kind.name} has not changed since its last version",
                hint=f"Change its {self._change} first.",
                code="unchanged",
            )
        values = {
            "id": ids.new(),
            kind.key: resource_id,
            "version_number": found.latest_version + 1,
            "description": description,
            "project_id": found.project_id,
            "created_at": now,
        }
        connection.execute(sa.insert(table).values(**values, revision=found.revision.number))
        connection.execute(
            sa.update(kind.table)
            .where(kind.table.c.id == resource_id)
            .values(latest_version=values["version_number"], updated_at=now)
        )
        return self._model(**values, revision=found.revision)

    def get(
        self,
        connection: sa.Connection,
        resource_id: str,
        number: int,
        project_id: str | None = None,
    ) -> V:
        """:raises errors.NotFound: unknown, or another project's"""
        mine = (self._of == resource_id, self._kind.versions.c.version_number == number)
        row = connection.execute(self._whole.where(*mine)).first()
        if row is None or project_id not in (None, row.project_id):
            raise errors.NotFound(
                f"there is no version {number} of {self._kind.name} {resource_id}"
            )
        return self._to_version(row)

    def list_(self, connection: sa.Connection, resource_id: str, query: listing.Query) -> list[V]:
        """A page of versions.

        :raises errors.NotFound: what they are of is unknown, or another project's
        :raises errors.BadRequest: an unknown field, operator, sort key or marker
        """
        self._resources.get(connection, resource_id, query.project_id)
        select = self._whole.where(self._of == resource_id)
        rows = listing.page(connection, select, self._listed, query)
        return [self._to_version(row) for row in rows]

    def describe(
        self,
        connection: sa.Connection,
        resource_id: str,
        number: int,
        project_id: str | None,
        *,
        description: str,
        now: float,
    ) -> V:
        """Change its description, the one thing of a version that may change.

        :raises errors.NotFound: unknown, or another project's
        """
        self.get(connection, resource_id, number, project_id)
        connection.execute(
            sa.update(self._kind.versions)
            .where(self._of == resource_id, self._kind.versions.c.version_number == number)
            .values(description=description, updated_at=now)
        )
        return self.get(connection, resource_id, number, project_id)

    def delete(
        self,
        connection: sa.Connection,
        resource_id: str,
        number: int,
        project_id: str | None,
        *,
        now: float,
    ) -> None:
        """Delete it; what runs, or is queued, keeps its revision to the end. Numbers never
        return.

        :raises errors.NotFound: unknown, or another project's
        :raises errors.InUse: an alias points to it
        """
        kind = self._kind
        self._resources.locked(connection, resource_id, project_id)
        self.get(connection, resource_id, number, project_id)
        aliases = kind.aliases.c
        used = connection.execute(
            sa.select(aliases.name, aliases[f"{kind.name}_version"], aliases.weights).where(
                aliases[kind.key] == resource_id
            )
        )
        for name, main, weights in used:
            if main == number or f'"{number}":' in weights:
                raise errors.InUse(f"alias {name!r} points to version {number}")
        connection.execute(
            sa.delete(kind.versions).where(
                self._of == resource_id, kind.versions.c.version_number == number
            )
        )
        shares.forget(connection, kind.name, resource_id, version=number)
        calls = tables.calls.c
        connection.execute(
            sa.delete(tables.calls).where(
                calls.function_id == resource_id, calls.function_version == number
            )
        )
        self._revisions.retire(connection, resource_id, now)

    def _to_version(self, row: Any) -> V:
        id_, resource_id, number, description, project_id, count, created_at, updated_at = row[
            : self._own
        ]
        return self._model(
            id=id_,
            **{self._kind.key: resource_id},
            version_number=number,
            description=description,
            project_id=project_id,
            count=int(count),
            created_at=created_at,
            updated_at=updated_at,
            revision=self._revisions.to_revision(row[self._own :]),
        )
