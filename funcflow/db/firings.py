"""Firings: what triggers did about events.

Called by :mod:`funcflow.firing`, the API and the events process. One row per trigger and key, so
that an event that comes again finds what was done about it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any, ClassVar

import sqlalchemy as sa

from funcflow import errors
from funcflow.db import bulk, group, listing, trigger_tables
from funcflow.events import Firing

_t = trigger_tables.firings
_NAMES = tuple(column.name for column in _t.c)
_KINDS = {"TEXT": "text", "BIGINT": "int", "DOUBLE": "real"}
_LISTED = {name: _t.c[name] for name in _NAMES if name != "event"}
_INSERT = bulk.Statement(
    f"INSERT INTO firings ({', '.join(_NAMES)})"  # noqa: S608
    f" SELECT {', '.join(f'v.{name}' for name in _NAMES)} FROM v WHERE true"
    " ON CONFLICT (trigger_id, key) DO NOTHING",
    **{column.name: _KINDS[str(column.type)] for column in _t.c},
)
_DISCARD = bulk.Statement(
    "DELETE FROM firings AS e USING v WHERE e.id = v.id AND e.outcome = 'dead' RETURNING e.id",
    id="text",
)
_REPLACE = bulk.Statement("DELETE FROM firings AS e USING v WHERE e.id = v.id", id="text")


@dataclasses.dataclass(frozen=True, slots=True)
class Record(group.Op[None]):
    """Keep a firing in place of the one called ``replaces``; another one of that key stays."""

    rank: ClassVar[int] = 90
    firing: Firing
    replaces: str | None = None

    @property
    def key(self) -> str | None:
        return f"{self.firing.trigger_id} {self.firing.key}"

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Record]) -> list[None]:
        gone = [(op.replaces,) for op in ops if op.replaces is not None]
        _REPLACE.run(batch.cursor, batch.dialect, gone)
        rows = [tuple(getattr(op.firing, name) for name in _NAMES) for op in ops]
        _INSERT.run(batch.cursor, batch.dialect, rows)
        return [None for _ in ops]


@dataclasses.dataclass(frozen=True, slots=True)
class Discard(group.Op[bool]):
    """Forget a dead firing. False: it is not dead (any more), or not there."""

    rank: ClassVar[int] = 91
    id: str

    @property
    def key(self) -> str | None:
        return self.id

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Discard]) -> list[bool]:
        gone = _DISCARD.run(batch.cursor, batch.dialect, [(op.id,) for op in ops])
        ids = {row[0] for row in gone}
        return [op.id in ids for op in ops]


def find(connection: sa.Connection, trigger_id: str, key: str) -> Firing | None:
    """What was done about what has this key, the last time."""
    query = sa.select(_t).where(_t.c.trigger_id == trigger_id, _t.c.key == key)
    row = connection.execute(query).first()
    return None if row is None else _to_firing(row)


def get(connection: sa.Connection, firing_id: str, trigger_id: str) -> Firing:
    """:raises errors.NotFound: the trigger has no such firing"""
    query = sa.select(_t).where(_t.c.id == firing_id, _t.c.trigger_id == trigger_id)
    row = connection.execute(query).first()
    if row is None:
        raise errors.NotFound(f"there is no firing {firing_id} of trigger {trigger_id}")
    return _to_firing(row)


def by_id(connection: sa.Connection, firing_id: str) -> Firing | None:
    """Of whatever trigger, which may be gone."""
    row = connection.execute(sa.select(_t).where(_t.c.id == firing_id)).first()
    return None if row is None else _to_firing(row)


def among(connection: sa.Connection, ids: Collection[str]) -> list[Firing]:
    """Those of these that there are."""
    return [_to_firing(row) for row in connection.execute(sa.select(_t).where(_t.c.id.in_(ids)))]


def list_(connection: sa.Connection, trigger_id: str, query: listing.Query) -> list[Firing]:
    """A page of the trigger's firings.

    :raises errors.BadRequest: an unknown field, operator, sort key or marker
    """
    select = sa.select(_t).where(_t.c.trigger_id == trigger_id)
    return [_to_firing(row) for row in listing.page(connection, select, _LISTED, query)]


def retrying(connection: sa.Connection, now: float, limit: int) -> list[Firing]:
    """Those that are to be tried again now, longest due first."""
    due = sa.select(_t).where(_t.c.retry_at <= now).order_by(_t.c.retry_at).limit(limit)
    return [_to_firing(row) for row in connection.execute(due)]


def of_executions(connection: sa.Connection, ids: Collection[str]) -> dict[str, Firing]:
    """What set executions off, by their ids; those that no trigger started are not in it."""
    found = connection.execute(sa.select(_t).where(_t.c.execution_id.in_(ids)))
    return {row.execution_id: _to_firing(row) for row in found}


def purge(connection: sa.Connection, before: float, limit: int) -> int:
    """Delete what is older; how many went. Dead letters stay as long as their trigger."""
    there = sa.exists().where(trigger_tables.triggers.c.id == _t.c.trigger_id)
    needed = sa.and_(_t.c.outcome == "dead", there)
    old = sa.select(_t.c.id).where(_t.c.created_at < before, ~needed).limit(limit)
    return int(connection.execute(sa.delete(_t).where(_t.c.id.in_(old))).rowcount)


def trim(connection: sa.Connection, trigger_id: str, most: int, before: float) -> int:
    """Leave the trigger's newest so many, those that are not older than ``before``, and as many
    dead letters."""
    mine = _t.c.trigger_id == trigger_id
    dead = sa.and_(mine, _t.c.outcome == "dead")
    rest = sa.or_(_t.c.created_at < before, _t.c.outcome == "unmatched")
    old = sa.and_(mine, _t.c.outcome != "dead", _t.c.id < _edge(mine, most), rest)
    much = sa.and_(dead, _t.c.id < _edge(dead, most))
    return int(connection.execute(sa.delete(_t).where(sa.or_(old, much))).rowcount)


def _edge(which: sa.ColumnElement[bool], most: int) -> sa.ScalarSelect[str]:
    """The id of the last one that stays when the newest so many do."""
    newest = sa.select(_t.c.id).where(which).order_by(_t.c.id.desc())
    return newest.offset(most - 1).limit(1).scalar_subquery()


def crowded(connection: sa.Connection, most: int) -> list[str]:
    """Triggers with more firings than so many."""
    query = sa.select(_t.c.trigger_id).group_by(_t.c.trigger_id)
    return list(connection.execute(query.having(sa.func.count() > most)).scalars())


def delete(connection: sa.Connection, firing_id: str) -> None:
    connection.execute(sa.delete(_t).where(_t.c.id == firing_id))


def _to_firing(row: Any) -> Firing:
    return Firing(**row._mapping)
