"""Counts of executions that change with every move, in the same transaction.

Written by the group commit; read by the metrics, the admission limits and the tests that prove
conservation: accepted = queued + running + settled + dead (+ waiting, of compositions). Each
writing process has rows of its own, so processes never wait for each other; :func:`fold` joins
those of past processes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import sqlalchemy as sa

from funcflow import states
from funcflow.db import bulk

_FIELDS = ("accepted", "queued", "running", "settled", "dead")
_PLACE: Mapping[str, int] = {
    state: _FIELDS.index("settled" if state in states.SETTLED else state) for state in states.State
}
_COMPOSITION_FIELDS = ("accepted", "queued", "running", "waiting", "settled", "dead")
_COMPOSITION_PLACE: Mapping[str, int] = {
    state: _COMPOSITION_FIELDS.index("settled" if state in states.COMPOSITION_SETTLED else state)
    for state in states.CompositionState
}
Kind = Literal["function", "composition"]

#: The row that past processes' rows are folded into.
_FOLDED = ""


class _Table:
    """How to add to a table whose other columns are its key and the writer."""

    def __init__(self, name: str, fields: Sequence[str], **keys: str) -> None:
        self.name, self.keys, self.fields = name, tuple(keys), tuple(fields)
        key = (*keys, "writer")
        columns = (*key, *fields)
        self._add = bulk.Statement(
            f"INSERT INTO {name} AS e ({', '.join(columns)})"  # noqa: S608
            f" SELECT {', '.join(f'v.{column}' for column in columns)} FROM v"
            f" WHERE true ON CONFLICT ({', '.join(key)}) DO UPDATE SET "
            + ", ".join(f"{field} = e.{field} + excluded.{field}" for field in fields),
            **keys,
            writer="text",
            **dict.fromkeys(fields, "int"),
        )

    def add(
        self, cursor: Any, dialect: str, writer: str, sums: Mapping[Any, Sequence[int]]
    ) -> None:
        """``sums``: by key, a tuple, one number for each field."""
        rows = [(*key, writer, *counts) for key, counts in sums.items() if any(counts)]
        self._add.run(cursor, dialect, rows)


_TALLIES = _Table("tallies", _FIELDS, project_id="text")
_COMPOSITION_TALLIES = _Table("composition_tallies", _COMPOSITION_FIELDS, project_id="text")
_CALLS = _Table("calls", ("count",), function_id="text", function_version="int")


class Tally:
    """What one batch adds about executions of one kind."""

    def __init__(self, table: _Table, places: Mapping[str, int]) -> None:
        self._table = table
        #: State to the place of its field.
        self._places = places
        self._projects: dict[tuple[str], list[int]] = {}

    def accept(self, project_id: str, state: str, count: int = 1) -> None:
        """A new execution, in its first state."""
        counts = self._of(project_id)
        counts[0] += count
        counts[self._places[state]] += count

    def undo(self, project_id: str, state: str) -> None:
        """An execution that was never really accepted is gone."""
        self.accept(project_id, state, -1)

    def move(self, project_id: str, before: str, after: str) -> None:
        counts = self._of(project_id)
        counts[self._places[before]] -= 1
        counts[self._places[after]] += 1

    def write(self, cursor: Any, dialect: str, writer: str) -> None:
        self._table.add(cursor, dialect, writer, self._projects)

    def _of(self, project_id: str) -> list[int]:
        return self._projects.setdefault((project_id,), [0] * len(self._table.fields))


class Counts:
    """What one batch adds."""

    def __init__(self) -> None:
        self.executions = Tally(_TALLIES, _PLACE)
        self.compositions = Tally(_COMPOSITION_TALLIES, _COMPOSITION_PLACE)
        self._calls: dict[tuple[str, int], list[int]] = {}

    def call(self, target_id: str, version: int, count: int = 1) -> None:
        """Executions were made of a version of a function or composition."""
        self._calls.setdefault((target_id, version), [0])[0] += count

    def write(self, cursor: Any, dialect: str, writer: str) -> None:
        """Add all to the tables, in the batch's transaction."""
        self.executions.write(cursor, dialect, writer)
        self.compositions.write(cursor, dialect, writer)
        _CALLS.add(cursor, dialect, writer, self._calls)


@dataclasses.dataclass(frozen=True, slots=True)
class Conservation:
    """The tallies' sums, and ``drift``: by how much they disagree with each other and with
    the rows (settled rows may have been purged and are not compared). ``waiting``: of
    compositions only."""

    accepted: int
    queued: int
    running: int
    settled: int
    dead: int
    drift: int
    waiting: int = 0


def conservation(connection: sa.Connection) -> Conservation:
    """Sums and drift of executions of functions, of one instant."""
    return _conservation(connection, _TALLIES, "executions")


def composition_conservation(connection: sa.Connection) -> Conservation:
    """Sums and drift of executions of compositions, of one instant."""
    return _conservation(connection, _COMPOSITION_TALLIES, "composition_executions")


def _conservation(connection: sa.Connection, table: _Table, rows: str) -> Conservation:
    open_fields = [field for field in table.fields if field not in ("accepted", "settled")]
    count = f"(SELECT COUNT(*) FROM {rows} WHERE state = '{{}}')"  # noqa: S608
    query = (
        f"SELECT {', '.join(f'COALESCE(SUM({field}), 0)' for field in table.fields)}, "  # noqa: S608
        + ", ".join(count.format(field) for field in open_fields)
        + f" FROM {table.name}"
    )
    row = [int(value) for value in connection.execute(sa.text(query)).one()]
    sums = dict(zip(table.fields, row, strict=False))
    real = dict(zip(open_fields, row[len(table.fields) :], strict=True))
    drift = abs(2 * sums["accepted"] - sum(sums.values()))
    drift += sum(abs(sums[field] - count) for field, count in real.items())
    return Conservation(drift=drift, **sums)


def queued(
    connection: sa.Connection, project_id: str | None = None, kind: Kind = "function"
) -> int:
    """Executions waiting for a conductor, of one project or of all."""
    table = _TALLIES if kind == "function" else _COMPOSITION_TALLIES
    query = f"SELECT COALESCE(SUM(queued), 0) FROM {table.name}"  # noqa: S608
    if project_id is None:
        return int(connection.execute(sa.text(query)).scalar_one())
    where = sa.text(query + " WHERE project_id = :project_id")
    return int(connection.execute(where, {"project_id": project_id}).scalar_one())


def fold(connection: sa.Connection, keep: str) -> None:
    """Join the rows of all writers but ``keep`` into one per project and function version.

    Sums stay the same at every moment; a live writer whose row went makes a new one.
    """
    for table in (_TALLIES, _COMPOSITION_TALLIES, _CALLS):
        columns = ", ".join((*table.keys, *table.fields))
        gone = connection.execute(
            sa.text(
                f"DELETE FROM {table.name} WHERE writer NOT IN (:folded, :keep)"  # noqa: S608
                f" RETURNING {columns}"
            ),
            {"folded": _FOLDED, "keep": keep},
        )
        sums: dict[tuple[Any, ...], list[int]] = {}
        for row in gone:
            key, counts = tuple(row[: len(table.keys)]), row[len(table.keys) :]
            total = sums.setdefault(key, [0] * len(counts))
            total[:] = [old + int(more) for old, more in zip(total, counts, strict=True)]
        cursor = connection.connection.cursor()
        table.add(cursor, connection.dialect.name, _FOLDED, sums)
        cursor.close()
