"""How an execution's row comes into being, starts to run, and goes again: operations.

Used through :mod:`funcflow.db.executions`. The limits of what runs at the same time are kept
here: whoever makes something limited run counts under locks that all processes share.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from funcflow import callbacks as wanted
from funcflow import errors, models, states
from funcflow.db import bulk, callbacks, group, moves, rows
from funcflow.states import State

_INSERT = bulk.Statement(
    f"INSERT INTO executions AS e ({', '.join(rows.KINDS)})"  # noqa: S608
    f" SELECT {', '.join(f'v.{name}' for name in rows.KINDS)} FROM v WHERE true"
    " ON CONFLICT DO NOTHING RETURNING e.id",
    **rows.KINDS,
)
_BY_KEY = bulk.Lookup(
    f"SELECT {rows.SELECT} FROM executions WHERE idempotency_key IN keys"  # noqa: S608
)
_RUNNING = bulk.Lookup(
    "SELECT function_id, COUNT(*) FROM executions"
    " WHERE state = 'running' AND function_id IN keys GROUP BY function_id"
)
_OF_PROJECT = bulk.Lookup(
    "SELECT e.project_id, COUNT(*), COALESCE(SUM(r.memory_size), 0) FROM executions AS e"
    " LEFT JOIN revisions AS r ON r.function_id = e.function_id AND r.number = e.revision"
    " WHERE e.state = 'running' AND e.project_id IN keys GROUP BY e.project_id"
)
_SIZES = bulk.Lookup(
    "SELECT e.id, r.memory_size FROM executions AS e"
    " JOIN revisions AS r ON r.function_id = e.function_id AND r.number = e.revision"
    " WHERE e.id IN keys"
)
_TRIES = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Inserted:
    """``created`` False: the idempotency key was known; ``execution`` is the older one."""

    execution: models.Execution
    created: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Insert(group.Op[Inserted]):
    """A new execution, queued or (claimed already) running its first attempt.

    ``posted``: a job for it is, or is about to be, on the board. The limit of runs at the same
    time is not looked at: insert executions of limited functions as queued, then ``Start``.
    ``callback``: who is to be told of its end.
    """

    rank: ClassVar[int] = 10
    execution: models.Execution
    posted: bool
    callback: wanted.Wanted | None = None

    def __post_init__(self) -> None:
        if self.execution.state not in states.OPEN:
            raise ValueError(f"an execution cannot begin as {self.execution.state}")

    @property
    def key(self) -> str | None:
        return self.execution.id

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Insert]) -> list[Inserted]:
        done: dict[str, Inserted] = {}
        for _ in range(_TRIES):
            _insert(batch, ops, done)
            left = [op for op in ops if op.execution.id not in done]
            if not left:
                return [done[op.execution.id] for op in ops]
            _known(batch, left, done)
        raise errors.Conflict("the idempotency key is in use just now", retry_after=0.1)


def _insert(batch: group.Batch, ops: Sequence[Insert], done: dict[str, Inserted]) -> None:
    ops = [op for op in ops if op.execution.id not in done]
    source = [rows.from_execution(op.execution, op.posted, op.callback is not None) for op in ops]
    made = {row[0] for row in _INSERT.run(batch.cursor, batch.dialect, source)}
    calls = (
        (op.execution.id, op.execution.project_id, op.execution.created_at, op.callback)
        for op in ops
        if op.callback is not None and op.execution.id in made
    )
    callbacks.insert(batch, "function", calls)
    for op in ops:
        execution = op.execution
        if execution.id in made:
            batch.counts.executions.accept(execution.project_id, execution.state)
            batch.counts.call(execution.function_id, execution.function_version)
            batch.changed.append(_began(execution))
            done[execution.id] = Inserted(execution, created=True)


def record(batch: group.Batch, executions: Sequence[models.Execution]) -> None:
    """Keep executions that ran and settled elsewhere, to be seen like all others."""
    source = [rows.from_execution(execution, posted=False) for execution in executions]
    made = {row[0] for row in _INSERT.run(batch.cursor, batch.dialect, source)}
    for execution in executions:
        if execution.id in made:
            batch.counts.executions.accept(execution.project_id, execution.state)
            batch.counts.call(execution.function_id, execution.function_version)
            batch.changed.append(_began(execution))


def _began(execution: models.Execution) -> tuple[str, str, str, None, str]:
    """As in :attr:`funcflow.db.group.Batch.changed`."""
    return ("function", execution.id, execution.project_id, None, execution.state.value)


def _known(batch: group.Batch, ops: Sequence[Insert], done: dict[str, Inserted]) -> None:
    """Those that are there: by id (this very operation took before), else by their key."""
    by_id = moves.look(batch, [op.execution.id for op in ops])
    keys = [op.execution.idempotency_key for op in ops if op.execution.idempotency_key]
    by_key = {}
    for row in _BY_KEY.run(batch.cursor, batch.dialect, keys):
        execution = rows.to_execution(row)
        by_key[execution.project_id, execution.idempotency_key] = execution
    for op in ops:
        row_by_id = by_id.get(op.execution.id)
        older = by_key.get((op.execution.project_id, op.execution.idempotency_key))
        if row_by_id is not None:
            done[op.execution.id] = Inserted(rows.to_execution(row_by_id), created=True)
        elif older is not None:
            done[op.execution.id] = Inserted(older, created=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Full:
    """The answer when there is no room; nothing was changed.

    ``what``: ``function`` (its ``max_concurrency``), or of the project ``executions`` or
    ``memory``; ``limit``: as much as there may be.
    """

    what: str
    limit: int


class _Room:
    """Room left under some limits, counted under their locks."""

    def __init__(self, batch: group.Batch, ops: Sequence[tuple[Start, models.Execution]]) -> None:
        functions = {e.function_id for op, e in ops if op.limit is not None}
        projects = {e.project_id for op, e in ops if op.of_project}
        names = [*sorted(functions), *sorted(f"runs of {project}" for project in projects)]
        if batch.dialect == "postgresql":
            for name in names:  # in one order everywhere, so that none deadlock
                batch.cursor.execute(
                    "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (name,)
                )
        self._used: collections.Counter[tuple[str, str]] = collections.Counter()
        for key, count in _RUNNING.run(batch.cursor, batch.dialect, sorted(functions)):
            self._used["function", key] = int(count)
        for key, count, memory in _OF_PROJECT.run(batch.cursor, batch.dialect, sorted(projects)):
            self._used["executions", key] = int(count)
            self._used["memory", key] = int(memory)

        measured = [op.id for op, _ in ops if op.of_project]
        sizes = _SIZES.run(batch.cursor, batch.dialect, measured)
        self._sizes: dict[str, int] = {key: int(size) for key, size in sizes}

    def take(self, op: Start, execution: models.Execution) -> Full | None:
        """Take the room that a start needs, or say what is full."""
        wanted = {
            ("function", execution.function_id): (op.limit, 1),
            ("executions", execution.project_id): (op.runs, 1),
            ("memory", execution.project_id): (op.memory, self._sizes.get(op.id, 0)),
        }
        for key, (limit, size) in wanted.items():
            if limit is not None and self._used[key] + size > limit:
                return Full(key[0], limit)
        for key, (_, size) in wanted.items():
            self._used[key] += size
        return None


_START = (
    "posted = TRUE, attempts = e.attempts + 1, epoch = v.epoch, owner = v.owner,"
    " started_at = v.now, updated_at = v.now"
)
_START_QUEUED = moves.Move(
    State.QUEUED,
    State.RUNNING,
    _START,
    "AND e.epoch < v.epoch",
    more="*",
    epoch="int",
    owner="text",
    now="real",
)
_TAKE_OVER = moves.Move(
    State.RUNNING,
    State.RUNNING,
    _START,
    "AND e.epoch < v.epoch",
    more="*",
    epoch="int",
    owner="text",
    now="real",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Start(moves.OnExecution[models.Execution | Full | None]):
    """Count the attempt and run it under a newer claim, taking over from a dead conductor.

    None: unknown, ended, dead, or a newer claim is there. ``limit``: the function's
    ``max_concurrency``; ``runs``: executions of the project, ``memory``: bytes of their memory
    limits. Without room the answer is ``Full`` and no attempt is counted.
    """

    rank: ClassVar[int] = 30
    id: str
    epoch: int
    owner: str
    now: float
    limit: int | None = None
    runs: int | None = None
    memory: int | None = None

    @property
    def of_project(self) -> bool:
        return self.runs is not None or self.memory is not None

    def source(self) -> bulk.Row:
        return (self.id, self.epoch, self.owner, self.now)

    def took(self, now: models.Execution) -> bool:
        return (now.state, now.epoch, now.owner) == (State.RUNNING, self.epoch, self.owner)

    @classmethod
    def apply(
        cls, batch: group.Batch, ops: Sequence[Start]
    ) -> list[models.Execution | Full | None]:
        limited = [op for op in ops if op.limit is not None or op.of_project]
        full = _without_room(batch, limited) if limited else {}
        free = [op for op in ops if op.id not in full]
        started = moves.apply_moves(batch, free, _START_QUEUED, _TAKE_OVER)
        done = {
            op.id: None if row is None else rows.to_execution(row)
            for op, row in zip(free, started, strict=True)
        }
        return [full[op.id] if op.id in full else done[op.id] for op in ops]


def _without_room(batch: group.Batch, ops: Sequence[Start]) -> dict[str, Full]:
    """Those for which there is no room, by id. Taking over a run takes no room."""
    found = moves.look(batch, [op.id for op in ops])
    known = {key: rows.to_execution(row) for key, row in found.items()}
    there = [(op, known[op.id]) for op in ops if op.id in known]
    room = _Room(batch, there)
    full = {}
    for op, execution in there:
        if execution.state is State.QUEUED:
            lacking = room.take(op, execution)
            if lacking is not None:
                full[op.id] = lacking
    return full


_REMOVE = bulk.Statement(
    "DELETE FROM executions AS e USING v WHERE e.id = v.id"
    " AND e.state = 'queued' AND e.attempts = 0"
    " RETURNING e.id, e.project_id, e.function_id, e.function_version, e.callback",
    id="text",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Remove(moves.OnExecution[bool]):
    """Undo an insert whose job could not be posted. False: it is there and was started."""

    rank: ClassVar[int] = 95
    id: str

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Remove]) -> list[bool]:
        source = [(op.id,) for op in ops]
        gone = _REMOVE.run(batch.cursor, batch.dialect, source)
        callbacks.forget(batch, [row[0] for row in gone if row[-1]])
        for _, project_id, function_id, version, _ in gone:
            batch.counts.executions.undo(project_id, State.QUEUED)
            batch.counts.call(function_id, version, -1)
        kept = moves.look(batch, [op.id for op in ops])
        return [op.id not in kept for op in ops]
