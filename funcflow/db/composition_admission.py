"""How a composition's execution comes into being, gets a job and a holder, and goes again.

Used through :mod:`funcflow.db.composition_executions`. Each operation may be applied again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from typing import ClassVar

from funcflow import callbacks as wanted
from funcflow import errors, models
from funcflow.db import bulk, callbacks, composition_retention, group, lives
from funcflow.db import composition_rows as rows
from funcflow.states import CompositionState as State

_INSERT = bulk.Statement(
    f"INSERT INTO composition_executions AS e ({', '.join(rows.KINDS)})"  # noqa: S608
    f" SELECT {', '.join(f'v.{name}' for name in rows.KINDS)} FROM v WHERE true"
    " ON CONFLICT DO NOTHING RETURNING e.id",
    **rows.KINDS,
)
_BY_NAME = bulk.Statement(
    f"SELECT {', '.join(rows.COLUMNS)} FROM composition_executions"  # noqa: S608
    " WHERE (composition_id, project_id, name)"
    " IN (SELECT v.composition_id, v.project_id, v.name FROM v)",
    composition_id="text",
    project_id="text",
    name="text",
)
_TRIES = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Inserted:
    """``created`` False: the project has one of that name of the composition; ``execution`` is
    the older one."""

    execution: models.CompositionExecution
    created: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Insert(group.Op[tuple[Inserted, ...]]):
    """New executions, queued, or (claimed already) running their first attempt.

    One whose id is there already was made by this very operation. ``posted``: jobs for them
    are, or are about to be, on the board. ``callback``: who is to be told of each end. One answer
    each, in order.
    """

    rank: ClassVar[int] = 110
    executions: tuple[models.CompositionExecution, ...]
    posted: bool
    callback: wanted.Wanted | None = None

    def __post_init__(self) -> None:
        for execution in self.executions:
            if execution.state not in (State.QUEUED, State.RUNNING):
                raise ValueError(f"an execution cannot begin as {execution.state}")

    @property
    def weight(self) -> int:
        return len(self.executions) + rows.weight(each.input for each in self.executions)

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Insert]) -> list[tuple[Inserted, ...]]:
        new = {each.id: (each, op) for op in ops for each in op.executions}
        done: dict[str, Inserted] = {}
        for _ in range(_TRIES):
            left = [each for each in new.values() if each[0].id not in done]
            if not left:
                return [tuple(done[each.id] for each in op.executions) for op in ops]
            _insert(batch, left, done)
            _known(batch, [each for each, _ in left if each.id not in done], done)
        raise errors.Conflict("the name is in use just now", retry_after=0.1)


def _insert(
    batch: group.Batch,
    new: Sequence[tuple[models.CompositionExecution, Insert]],
    done: dict[str, Inserted],
) -> None:
    source = [rows.from_execution(each, op.posted, op.callback is not None) for each, op in new]
    made = {row[0] for row in _INSERT.run(batch.cursor, batch.dialect, source)}
    calls = (
        (each.id, each.project_id, each.created_at, op.callback)
        for each, op in new
        if op.callback is not None and each.id in made
    )
    callbacks.insert(batch, "composition", calls)
    for execution, _ in new:
        if execution.id in made:
            done[execution.id] = Inserted(execution, created=True)
            key, project = execution.id, execution.project_id
            batch.changed.append(("composition", key, project, None, execution.state.value))
            batch.counts.compositions.accept(execution.project_id, execution.state)
            if execution.map_state is None:
                batch.counts.call(execution.composition_id, execution.composition_version)
    rows.keep_payloads(batch, ((each.id, each.input) for each, _ in new if each.id in made))


def _known(
    batch: group.Batch,
    left: Sequence[models.CompositionExecution],
    done: dict[str, Inserted],
) -> None:
    """Those that are there: by id (this very operation took before), else by their name."""
    by_id = rows.looks.rows(batch, [each.id for each in left])
    by_name = {}
    names = sorted({_name(each) for each in left if each.id not in by_id})
    for row in _BY_NAME.run(batch.cursor, batch.dialect, names):
        older = rows.to_execution(row)
        by_name[_name(older)] = older
    for each in left:
        found = by_name.get(_name(each))
        if each.id in by_id:
            done[each.id] = Inserted(rows.to_execution(by_id[each.id]), created=True)
        elif found is not None:
            done[each.id] = Inserted(found, created=False)


def _name(execution: models.CompositionExecution) -> tuple[str, str, str]:
    return execution.composition_id, execution.project_id, execution.name


_POST_WAITING = lives.Move(
    rows.LIFE,
    State.WAITING,
    State.QUEUED,
    "posted = TRUE, wake_at = NULL, updated_at = v.now",
    "AND e.wake_at <= v.now",
    now="real",
)
_POST_QUEUED = bulk.Statement(
    "UPDATE composition_executions AS e SET posted = TRUE, updated_at = v.now FROM v"
    " WHERE e.id = v.id AND e.state = 'queued' AND NOT e.posted AND e.wake_at <= v.now"
    " RETURNING e.id",
    id="text",
    now="real",
)
_POSTED = bulk.Lookup(
    "SELECT id, updated_at FROM composition_executions"
    " WHERE state = 'queued' AND posted AND id IN keys"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Wake(rows.Changes[frozenset[str]]):
    """Mark those that wait, or are queued without a job, and are due, as queued with a job on
    the board; the ids of those it found. Wake before posting, and ``Unpost`` when that failed."""

    rank: ClassVar[int] = 120
    ids: Collection[str]
    now: float

    @property
    def changed(self) -> Collection[str]:
        return self.ids

    @property
    def weight(self) -> int:
        return 1 + len(self.ids)

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Wake]) -> list[frozenset[str]]:
        rows.hold(batch)
        times = {key: op.now for op in ops for key in op.ids}
        found = set(_POST_WAITING.run(batch, list(times.items())))
        left = [(key, now) for key, now in times.items() if key not in found]
        found.update(row[0] for row in _POST_QUEUED.run(batch.cursor, batch.dialect, left))
        left_ids = [key for key, _ in left if key not in found]
        posted = _POSTED.run(batch.cursor, batch.dialect, left_ids)
        found.update(key for key, at in posted if at == times[key])
        return [frozenset(found.intersection(op.ids)) for op in ops]


_UNPOST = bulk.Statement(
    "UPDATE composition_executions AS e SET posted = FALSE, wake_at = v.now FROM v"
    " WHERE e.id = v.id AND e.state = 'queued' AND e.posted RETURNING e.id",
    id="text",
    now="real",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Unpost(rows.Changes[None]):
    """These have no job after all, as far as they are queued; the feed sees them again."""

    rank: ClassVar[int] = 125
    ids: Collection[str]
    now: float

    @property
    def changed(self) -> Collection[str]:
        return self.ids

    @property
    def weight(self) -> int:
        return 1 + len(self.ids)

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Unpost]) -> list[None]:
        rows.hold(batch)
        times = {key: op.now for op in ops for key in op.ids}
        _UNPOST.run(batch.cursor, batch.dialect, list(times.items()))
        return [None for _ in ops]


_START = (
    "posted = TRUE, wake_at = NULL, attempts = e.attempts + 1, epoch = v.epoch, owner = v.owner,"
    " started_at = COALESCE(e.started_at, v.now), updated_at = v.now"
)
_STARTED = {"epoch": "int", "owner": "text", "now": "real"}
_START_QUEUED, _TAKE_OVER = (
    lives.Move(
        rows.LIFE,
        before,
        State.RUNNING,
        _START,
        "AND e.epoch < v.epoch",
        more="*",
        **_STARTED,
    )
    for before in (State.QUEUED, State.RUNNING)
)


@dataclasses.dataclass(frozen=True, slots=True)
class Start(rows.OnComposition[models.CompositionExecution | None]):
    """Count the attempt and hold it under a newer claim, taking over from a dead conductor.

    None: unknown, waiting, ended, dead, or a newer claim is there.
    """

    rank: ClassVar[int] = 130
    id: str
    epoch: int
    owner: str
    now: float

    def source(self) -> bulk.Row:
        return (self.id, self.epoch, self.owner, self.now)

    def took(self, now: models.CompositionExecution) -> bool:
        return (now.state, now.epoch, now.owner) == (State.RUNNING, self.epoch, self.owner)

    @classmethod
    def apply(
        cls, batch: group.Batch, ops: Sequence[Start]
    ) -> list[models.CompositionExecution | None]:
        rows.hold(batch)
        started = rows.looks.apply(batch, ops, _START_QUEUED, _TAKE_OVER)
        return [None if row is None else rows.to_execution(row) for row in started]


_REMOVE = bulk.Statement(
    "DELETE FROM composition_executions AS e USING v WHERE e.id = v.id"
    " AND e.state = 'queued' AND e.epoch = 0"
    " RETURNING e.id, e.project_id, e.composition_id, e.composition_version, e.map_state,"
    " e.callback",
    id="text",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Remove(rows.OnComposition[bool]):
    """Undo an insert whose job could not be posted. False: it is there and was started."""

    rank: ClassVar[int] = 195
    id: str

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Remove]) -> list[bool]:
        rows.hold(batch)
        gone = _REMOVE.run(batch.cursor, batch.dialect, [(op.id,) for op in ops])
        callbacks.forget(batch, [row[0] for row in gone if row[-1]])
        for _, project_id, composition_id, version, map_state, _ in gone:
            batch.counts.compositions.undo(project_id, State.QUEUED)
            if map_state is None:
                batch.counts.call(composition_id, version, -1)
        composition_retention.forget(batch, [row[0] for row in gone])
        kept = rows.looks.rows(batch, [op.id for op in ops])
        return [op.id not in kept for op in ops]
