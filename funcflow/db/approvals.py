"""Tasks that wait for a person, or for a worker elsewhere, to look for them here.

A row is how a task is found; whether it still waits its execution's log says. Called by the
conductor (ask, forget) and by :mod:`funcflow.approvals` (list, decide).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from typing import ClassVar

import sqlalchemy as sa

from funcflow import errors
from funcflow.db import bulk, composition_inbox, group
from funcflow.db import composition_rows as rows


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One task. ``name``: of the state, or of the activity; ``message``: what is asked, short."""

    execution_id: str
    command: int
    project_id: str
    composition_id: str
    #: approval or activity
    kind: str
    name: str
    message: str
    token: str = dataclasses.field(repr=False)
    asked_at: float
    #: When its time is up; None: never.
    due_at: float | None = None


_COLUMNS = tuple(each.name for each in dataclasses.fields(Asked))
_ASK = bulk.Statement(
    f"INSERT INTO approvals AS e ({', '.join(_COLUMNS)})"  # noqa: S608
    f" SELECT {', '.join(f'v.{name}' for name in _COLUMNS)} FROM v WHERE true"
    " ON CONFLICT (execution_id, command) DO NOTHING",
    execution_id="text",
    command="int",
    project_id="text",
    composition_id="text",
    kind="text",
    name="text",
    message="text",
    token="text",  # noqa: S106 (a type)
    asked_at="real",
    due_at="real",
)
_FORGET = bulk.Statement(
    "DELETE FROM approvals AS e USING v WHERE e.execution_id = v.execution_id"
    " AND e.command = v.command RETURNING e.execution_id, e.command",
    execution_id="text",
    command="int",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Ask(group.Op[None]):
    """Let tasks be found. Those that are there already are left alone."""

    rank: ClassVar[int] = 186
    asked: tuple[Asked, ...]

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Ask]) -> list[None]:
        source = {(each.execution_id, each.command): each for op in ops for each in op.asked}
        values = [tuple(getattr(each, name) for name in _COLUMNS) for each in source.values()]
        _ASK.run(batch.cursor, batch.dialect, values)
        return [None] * len(ops)


@dataclasses.dataclass(frozen=True, slots=True)
class Forget(group.Op[None]):
    """Nobody waits for the task any more."""

    rank: ClassVar[int] = 187
    execution_id: str
    command: int

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Forget]) -> list[None]:
        keys = sorted({(op.execution_id, op.command) for op in ops})
        _FORGET.run(batch.cursor, batch.dialect, keys)
        return [None] * len(ops)


@dataclasses.dataclass(frozen=True, slots=True)
class Decide(rows.Changes[composition_inbox.Delivered | None]):
    """Put the answer (text of an inbox's entry) into the execution's inbox, if nobody decided
    before: of two who decide at once only one is heard. None: not this one."""

    rank: ClassVar[int] = 181
    execution_id: str
    command: int
    entry: str
    now: float

    @property
    def key(self) -> str | None:
        return self.execution_id

    @property
    def changed(self) -> Collection[str]:
        return (self.execution_id,)

    @property
    def weight(self) -> int:
        return rows.weight((self.entry,))

    @classmethod
    def apply(
        cls, batch: group.Batch, ops: Sequence[Decide]
    ) -> list[composition_inbox.Delivered | None]:
        rows.hold(batch)
        keys = sorted((op.execution_id, op.command) for op in ops)
        won = {tuple(row) for row in _FORGET.run(batch.cursor, batch.dialect, keys)}
        heard = [op for op in ops if (op.execution_id, op.command) in won]
        letters = {op.execution_id: [op.entry] for op in heard}
        now = max((op.now for op in heard), default=0.0)
        told = composition_inbox.deliver(batch, letters, now) if letters else {}
        rows.keep_payloads(batch, ((op.execution_id, op.entry) for op in heard))
        won_ids = {op.execution_id for op in heard}
        return [told.get(op.execution_id) if op.execution_id in won_ids else None for op in ops]


_PENDING = (
    f"SELECT {', '.join(f'a.{name}' for name in _COLUMNS)} FROM approvals AS a"  # noqa: S608
    " JOIN composition_executions AS e ON e.id = a.execution_id"
    " WHERE e.state IN ('queued', 'running', 'waiting') AND a.kind = :kind"
)
_ORDER = " ORDER BY a.asked_at, a.execution_id, a.command LIMIT :limit"
_AFTER = " AND (a.asked_at, a.execution_id, a.command) > (:asked_at, :execution_id, :command)"
_ONE = sa.text(
    f"SELECT {', '.join(_COLUMNS)} FROM approvals"  # noqa: S608
    " WHERE execution_id = :execution_id AND command = :command"
)


def pending(
    connection: sa.Connection,
    project_id: str | None,
    kind: str,
    *,
    name: str | None = None,
    execution_id: str | None = None,
    limit: int = 1000,
    marker: str | None = None,
) -> list[Asked]:
    """Tasks of open executions, oldest first.

    :param project_id: None: of all projects
    :param marker: ``<execution id>.<command>`` after which to go on
    :raises funcflow.errors.BadRequest: there is no such marker
    """
    query, asked = _PENDING, {"kind": kind, "limit": limit}
    if project_id is not None:
        query += " AND a.project_id = :project_id"
        asked["project_id"] = project_id
    if name is not None:
        query += " AND a.name = :name"
        asked["name"] = name
    if execution_id is not None:
        query += " AND a.execution_id = :of_execution"
        asked["of_execution"] = execution_id
    if execution_id is not None:
        query += " AND a.execution_id = :execution"
        asked["execution"] = execution_id
    if marker is not None:
        last = _marked(connection, marker)
        query += _AFTER
        asked |= {
            "asked_at": last.asked_at,
            "execution_id": last.execution_id,
            "command": last.command,
        }
    return [Asked(**row) for row in connection.execute(sa.text(query + _ORDER), asked).mappings()]


_TAKE = (
    "DELETE FROM approvals WHERE (execution_id, command) IN ("  # noqa: S608
    "SELECT a.execution_id, a.command FROM approvals AS a"
    " JOIN composition_executions AS e ON e.id = a.execution_id"
    " WHERE e.state IN ('queued', 'running', 'waiting') AND a.kind = 'activity'"
    " AND a.project_id = :project_id AND a.name = :name"
    f" ORDER BY a.asked_at, a.execution_id, a.command LIMIT 1) RETURNING {', '.join(_COLUMNS)}"
)


def take(connection: sa.Connection, project_id: str, activity: str) -> Asked | None:
    """Give the oldest task of an activity to one who asks; it is not found any more. To be
    called in a transaction of its own."""
    asked = {"project_id": project_id, "name": activity}
    row = connection.execute(sa.text(_TAKE), asked).mappings().first()
    return None if row is None else Asked(**row)


def find(connection: sa.Connection, execution_id: str, command: int) -> Asked | None:
    """The task, or None."""
    asked = {"execution_id": execution_id, "command": command}
    row = connection.execute(_ONE, asked).mappings().first()
    return None if row is None else Asked(**row)


def _marked(connection: sa.Connection, marker: str) -> Asked:
    execution_id, _, number = marker.rpartition(".")
    found = find(connection, execution_id, int(number)) if number.isdecimal() else None
    if found is None:
        raise errors.BadRequest(f"there is no marker {marker!r}")
    return found
