"""How an execution's row comes into being, starts to run, and goes again: operations.

Used through :mod:`funcflow.db.executions`. The limit of runs at the same time is kept here:
whoever makes a limited function run counts under a lock that all processes share.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence
from typing import ClassVar, Final

from funcflow import errors, models, states
from funcflow.db import bulk, group, moves, rows
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
    """

    rank: ClassVar[int] = 10
    execution: models.Execution
    posted: bool

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
    source = [rows.from_execution(op.execution, op.posted) for op in ops]
    made = {row[0] for row in _INSERT.run(batch.cursor, batch.dialect, source)}
    for op in ops:
        execution = op.execution
        if execution.id in made:
            batch.counts.executions.accept(execution.project_id, execution.state)
            batch.counts.call(execution.function_id, execution.function_version)
            done[execution.id] = Inserted(execution, created=True)


def record(batch: group.Batch, executions: Sequence[models.Execution]) -> None:
    """Keep executions that ran and settled elsewhere, to be seen like all others."""
    source = [rows.from_execution(execution, posted=False) for execution in executions]
    made = {row[0] for row in _INSERT.run(batch.cursor, batch.dialect, source)}
    for execution in executions:
        if execution.id in made:
            batch.counts.executions.accept(execution.project_id, execution.state)
            batch.counts.call(execution.function_id, execution.function_version)


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
    """The answer when the function runs as often as it may; nothing was changed."""


FULL: Final = Full()


class _Room:
    """Room left under the limits of some functions, counted under their locks."""

    def __init__(self, batch: group.Batch, limits: dict[str, int]) -> None:
        functions = sorted(limits)
        if batch.dialect == "postgresql":
            for function_id in functions:  # in one order everywhere, so that none deadlock
                batch.cursor.execute(
                    "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (function_id,)
                )
        running: dict[str, int] = dict(_RUNNING.run(batch.cursor, batch.dialect, functions))
        self._running = collections.Counter({key: int(n) for key, n in running.items()})
        self._limits = limits

    def take(self, function_id: str) -> bool:
        if self._running[function_id] >= self._limits[function_id]:
            return False
        self._running[function_id] += 1
        return True


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
    ``max_concurrency``; without room the answer is ``FULL`` and no attempt is counted.
    """

    rank: ClassVar[int] = 30
    id: str
    epoch: int
    owner: str
    now: float
    limit: int | None = None

    def source(self) -> bulk.Row:
        return (self.id, self.epoch, self.owner, self.now)

    def took(self, now: models.Execution) -> bool:
        return (now.state, now.epoch, now.owner) == (State.RUNNING, self.epoch, self.owner)

    @classmethod
    def apply(
        cls, batch: group.Batch, ops: Sequence[Start]
    ) -> list[models.Execution | Full | None]:
        limited = [op for op in ops if op.limit is not None]
        full = _without_room(batch, limited) if limited else frozenset()
        free = [op for op in ops if op.id not in full]
        started = moves.apply_moves(batch, free, _START_QUEUED, _TAKE_OVER)
        done = {
            op.id: None if row is None else rows.to_execution(row)
            for op, row in zip(free, started, strict=True)
        }
        return [FULL if op.id in full else done[op.id] for op in ops]


def _without_room(batch: group.Batch, ops: Sequence[Start]) -> set[str] | frozenset[str]:
    """Ids of those whose function is at its limit. Taking over a run takes no room."""
    found = moves.look(batch, [op.id for op in ops])
    known = {key: rows.to_execution(row) for key, row in found.items()}
    limits = {known[op.id].function_id: op.limit or 0 for op in ops if op.id in known}
    room = _Room(batch, limits)
    full = set()
    for op in ops:
        execution = known.get(op.id)
        if execution is None or execution.state is not State.QUEUED:
            continue
        if not room.take(execution.function_id):
            full.add(op.id)
    return full


_REMOVE = bulk.Statement(
    "DELETE FROM executions AS e USING v WHERE e.id = v.id"
    " AND e.state = 'queued' AND e.attempts = 0"
    " RETURNING e.id, e.project_id, e.function_id, e.function_version",
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
        for _, project_id, function_id, version in _REMOVE.run(batch.cursor, batch.dialect, source):
            batch.counts.executions.undo(project_id, State.QUEUED)
            batch.counts.call(function_id, version, -1)
        kept = moves.look(batch, [op.id for op in ops])
        return [op.id not in kept for op in ops]
