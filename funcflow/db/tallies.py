"""Counts of executions that change with every move, in the same transaction.

Written by the group commit; read by the metrics, the admission limits and the tests that prove
conservation: accepted = queued + running + settled + dead. Each writing process has rows of
its own, so processes never wait for each other; :func:`fold` joins those of past processes.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import sqlalchemy as sa

from funcflow import states
from funcflow.db import bulk, tables

_FIELDS = ("accepted", "queued", "running", "settled", "dead")
_PLACE = {
    states.State.QUEUED: 1,
    states.State.RUNNING: 2,
    **dict.fromkeys(states.SETTLED, 3),
    states.State.DEAD: 4,
}
#: The row that past processes' rows are folded into.
_FOLDED = ""

_ADD_TALLIES = bulk.Statement(
    f"INSERT INTO tallies AS e (project_id, writer, {', '.join(_FIELDS)})"  # noqa: S608
    f" SELECT v.project_id, v.writer, {', '.join(f'v.{field}' for field in _FIELDS)} FROM v"
    " WHERE true ON CONFLICT (project_id, writer) DO UPDATE SET "
    + ", ".join(f"{field} = e.{field} + excluded.{field}" for field in _FIELDS),
    project_id="text",
    writer="text",
    **dict.fromkeys(_FIELDS, "int"),
)
_ADD_CALLS = bulk.Statement(
    "INSERT INTO calls AS e (function_id, function_version, writer, count)"
    " SELECT v.function_id, v.function_version, v.writer, v.count FROM v WHERE true"
    " ON CONFLICT (function_id, function_version, writer)"
    " DO UPDATE SET count = e.count + excluded.count",
    function_id="text",
    function_version="int",
    writer="text",
    count="int",
)


class Counts:
    """What one batch adds."""

    def __init__(self) -> None:
        self._projects: dict[str, list[int]] = {}
        self._calls: dict[tuple[str, int], int] = {}

    def accept(self, project_id: str, state: str) -> None:
        """A new execution, in its first state."""
        counts = self._of(project_id)
        counts[0] += 1
        counts[_PLACE[states.State(state)]] += 1

    def undo(self, project_id: str, state: str) -> None:
        """An execution that was never really accepted is gone."""
        counts = self._of(project_id)
        counts[0] -= 1
        counts[_PLACE[states.State(state)]] -= 1

    def move(self, project_id: str, before: str, after: str) -> None:
        counts = self._of(project_id)
        counts[_PLACE[states.State(before)]] -= 1
        counts[_PLACE[states.State(after)]] += 1

    def call(self, function_id: str, version: int, count: int = 1) -> None:
        """Executions were made of a function's version."""
        key = (function_id, version)
        self._calls[key] = self._calls.get(key, 0) + count

    def write(self, cursor: Any, dialect: str, writer: str) -> None:
        """Add all to the tables, in the batch's transaction."""
        rows = [
            (project, writer, *counts) for project, counts in self._projects.items() if any(counts)
        ]
        _ADD_TALLIES.run(cursor, dialect, rows)
        calls = [(*key, writer, count) for key, count in self._calls.items() if count]
        _ADD_CALLS.run(cursor, dialect, calls)

    def _of(self, project_id: str) -> list[int]:
        return self._projects.setdefault(project_id, [0] * len(_FIELDS))


@dataclasses.dataclass(frozen=True, slots=True)
class Conservation:
    """The tallies' sums, and ``drift``: by how much they disagree with each other and with
    the rows (settled rows may have been purged and are not compared)."""

    accepted: int
    queued: int
    running: int
    settled: int
    dead: int
    drift: int


_CONSERVATION = sa.text(
    f"SELECT {', '.join(f'COALESCE(SUM({field}), 0)' for field in _FIELDS)},"  # noqa: S608
    " (SELECT COUNT(*) FROM executions WHERE state = 'queued'),"
    " (SELECT COUNT(*) FROM executions WHERE state = 'running'),"
    " (SELECT COUNT(*) FROM executions WHERE state = 'dead') FROM tallies"
)


def conservation(connection: sa.Connection) -> Conservation:
    """Sums and drift, of one instant."""
    row = connection.execute(_CONSERVATION).one()
    accepted, queued, running, settled, dead, *real = (int(value) for value in row)
    drift = abs(accepted - queued - running - settled - dead)
    drift += sum(abs(a - b) for a, b in zip((queued, running, dead), real, strict=True))
    return Conservation(accepted, queued, running, settled, dead, drift)


def queued(connection: sa.Connection, project_id: str | None = None) -> int:
    """Executions waiting, of one project or of all."""
    query = "SELECT COALESCE(SUM(queued), 0) FROM tallies"
    if project_id is None:
        return int(connection.execute(sa.text(query)).scalar_one())
    where = sa.text(query + " WHERE project_id = :project_id")
    return int(connection.execute(where, {"project_id": project_id}).scalar_one())


def fold(connection: sa.Connection, keep: str) -> None:
    """Join the rows of all writers but ``keep`` into one per project and function version.

    Sums stay the same at every moment; a live writer whose row went makes a new one.
    """
    for table, keys, fields in (
        (tables.tallies, ("project_id",), _FIELDS),
        (tables.calls, ("function_id", "function_version"), ("count",)),
    ):
        gone = connection.execute(
            sa.delete(table).where(table.c.writer.not_in([_FOLDED, keep])).returning(table)
        ).mappings()
        sums: dict[tuple[Any, ...], list[int]] = {}
        for row in gone:
            total = sums.setdefault(tuple(row[key] for key in keys), [0] * len(fields))
            for place, field in enumerate(fields):
                total[place] += row[field]
        add = _ADD_TALLIES if table is tables.tallies else _ADD_CALLS
        rows = [(*key, _FOLDED, *total) for key, total in sums.items()]
        cursor = connection.connection.cursor()
        add.run(cursor, connection.dialect.name, rows)
        cursor.close()
