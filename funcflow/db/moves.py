"""How an execution's row changes state: operations for the group commit.

Used through :mod:`funcflow.db.executions`. An end is told to the composition's execution that
asked for it, if one did.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Sequence
from typing import ClassVar, TypeVar

from funcflow import models, states
from funcflow.db import bulk, group, lives, logs, rows
from funcflow.states import State

T = TypeVar("T")

LIFE = lives.Life(
    kind="function",
    table="executions",
    columns=rows.COLUMNS,
    to_model=rows.to_execution,
    allowed=states.allowed,
    outcomes=states.SETTLED - {State.CANCELLED},
    ended=states.SETTLED | {State.DEAD},
    tally=lambda counts: counts.executions,
)
_looks = lives.Looks(LIFE)
look, apply_moves = _looks.rows, _looks.apply
Move = functools.partial(lives.Move, LIFE)


class OnExecution(lives.OnOne[T, models.Execution]):
    """An operation on the one execution ``id``."""

    __slots__ = ()


_NO_USAGE = models.Usage()
_CLAIM = "AND e.epoch = v.epoch AND e.owner = v.owner"

_SETTLE = Move(
    State.RUNNING,
    None,
    "output = v.output, error = v.error, reason = v.reason, finished_at = v.now,"
    " updated_at = v.now, usage_queue = v.queue, usage_startup = v.startup,"
    " usage_run = v.run, usage_cpu = v.cpu, usage_memory_peak = v.memory_peak,"
    " usage_worker = v.worker, usage_cold = v.cold",
    _CLAIM,
    epoch="int",
    owner="text",
    state="text",
    output="text",
    error="text",
    reason="text",
    queue="real",
    startup="real",
    run="real",
    cpu="real",
    memory_peak="int",
    worker="text",
    cold="bool",
    now="real",
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settle(OnExecution[bool]):
    """The outcome of the run under this claim, with the last of its logs.

    False: the claim is not the row's any more, or the row has ended; nothing is written then.
    """

    rank: ClassVar[int] = 60
    id: str
    epoch: int
    owner: str
    state: State
    output: str | None = None
    error: models.FunctionError | None = None
    #: Why the platform ended it, if that is not the run's doing.
    reason: str | None = None
    usage: models.Usage = _NO_USAGE
    logs: tuple[models.LogChunk, ...] = ()
    now: float

    def __post_init__(self) -> None:
        if self.state not in _SETTLE.targets:
            raise ValueError(f"{self.state} is no outcome of a run")

    def source(self) -> bulk.Row:
        usage = self.usage
        return (
            self.id,
            self.epoch,
            self.owner,
            self.state.value,
            None if self.output is None else rows.clean(self.output),
            rows.error_text(self.error),
            self.reason,
            usage.queue,
            usage.startup,
            usage.run,
            usage.cpu,
            usage.memory_peak,
            usage.worker,
            usage.cold,
            self.now,
        )

    def took(self, now: models.Execution) -> bool:
        return (now.state, now.epoch, now.owner) == (self.state, self.epoch, self.owner)

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Settle]) -> list[bool]:
        done = apply_moves(batch, ops, _SETTLE)
        logs.write(batch, ((op.id, op.logs) for op, row in zip(ops, done, strict=True) if row))
        return [row is not None for row in done]


_REQUEUE = Move(
    State.RUNNING,
    State.QUEUED,
    "posted = FALSE, not_before = v.not_before, reason = v.reason, owner = NULL,"
    " attempts = e.attempts - v.given_back, started_at = NULL, updated_at = v.now",
    _CLAIM,
    epoch="int",
    owner="text",
    not_before="real",
    reason="text",
    given_back="int",
    now="real",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Requeue(OnExecution[bool]):
    """The platform failed the run under this claim; it waits until ``not_before`` and then
    needs a new job. ``count_attempt`` False gives the attempt back."""

    rank: ClassVar[int] = 50
    id: str
    epoch: int
    owner: str
    not_before: float
    reason: str
    count_attempt: bool = True
    now: float = dataclasses.field(default_factory=time.time)

    def source(self) -> bulk.Row:
        back = 0 if self.count_attempt else 1
        return (self.id, self.epoch, self.owner, self.not_before, self.reason, back, self.now)

    def took(self, now: models.Execution) -> bool:
        return now.state is State.QUEUED and now.epoch == self.epoch

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Requeue]) -> list[bool]:
        return [row is not None for row in apply_moves(batch, ops, _REQUEUE)]


_BURY = "reason = v.reason, updated_at = v.now"
_BURY_QUEUED = Move(
    State.QUEUED,
    State.DEAD,
    _BURY,
    "AND v.epoch IS NULL",
    epoch="int",
    owner="text",
    reason="text",
    now="real",
)
_BURY_RUNNING = Move(
    State.RUNNING,
    State.DEAD,
    _BURY,
    _CLAIM,
    epoch="int",
    owner="text",
    reason="text",
    now="real",
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bury(OnExecution[bool]):
    """Dead-letter it: the run under this claim, or, without a claim, what is queued."""

    rank: ClassVar[int] = 70
    id: str
    epoch: int | None = None
    owner: str | None = None
    reason: str
    now: float

    def source(self) -> bulk.Row:
        return (self.id, self.epoch, self.owner, self.reason, self.now)

    def took(self, now: models.Execution) -> bool:
        if now.state is not State.DEAD or now.reason != self.reason:
            return False
        return now.updated_at == self.now or now.epoch == self.epoch

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Bury]) -> list[bool]:
        done = apply_moves(batch, ops, _BURY_QUEUED, _BURY_RUNNING)
        return [row is not None for row in done]


_CANCEL = "finished_at = v.now, updated_at = v.now"
_CANCEL_QUEUED = Move(State.QUEUED, State.CANCELLED, _CANCEL, more="*", now="real")
_CANCEL_RUNNING = Move(State.RUNNING, State.CANCELLED, _CANCEL, more="*", now="real")


@dataclasses.dataclass(frozen=True, slots=True)
class Cancel(OnExecution[models.Execution | None]):
    """Settle as cancelled whatever is queued or running. None: too late, or unknown."""

    rank: ClassVar[int] = 80
    id: str
    now: float

    def source(self) -> bulk.Row:
        return (self.id, self.now)

    def took(self, now: models.Execution) -> bool:
        return now.state is State.CANCELLED and now.finished_at == self.now

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Cancel]) -> list[models.Execution | None]:
        done = apply_moves(batch, ops, _CANCEL_QUEUED, _CANCEL_RUNNING)
        return [None if row is None else rows.to_execution(row) for row in done]


_REDRIVE = Move(
    State.DEAD,
    State.QUEUED,
    "attempts = 0, reason = NULL, posted = FALSE, owner = NULL, not_before = v.now,"
    " expires_at = v.expires_at, started_at = NULL, updated_at = v.now",
    now="real",
    expires_at="real",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Redrive(OnExecution[bool]):
    """Queue a dead one again, with fresh attempts and a fresh age. It needs a new job."""

    rank: ClassVar[int] = 90
    id: str
    now: float
    expires_at: float

    def source(self) -> bulk.Row:
        return (self.id, self.now, self.expires_at)

    def took(self, now: models.Execution) -> bool:
        return now.state is State.QUEUED and now.updated_at == self.now

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Redrive]) -> list[bool]:
        return [row is not None for row in apply_moves(batch, ops, _REDRIVE)]


_DEFER = bulk.Statement(
    "UPDATE executions AS e SET posted = FALSE, not_before = v.not_before, updated_at = v.now"
    " FROM v WHERE e.id = v.id AND e.state = 'queued' RETURNING e.id",
    id="text",
    not_before="real",
    now="real",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Defer(OnExecution[bool]):
    """Let a queued one wait until ``not_before``; it needs a new job then. Not a move: no
    attempt was made. False: it is not queued."""

    rank: ClassVar[int] = 55
    id: str
    not_before: float
    now: float = dataclasses.field(default_factory=time.time)

    def source(self) -> bulk.Row:
        return (self.id, self.not_before, self.now)

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Defer]) -> list[bool]:
        found = _DEFER.run(batch.cursor, batch.dialect, [op.source() for op in ops])
        deferred = {row[0] for row in found}
        return [op.id in deferred for op in ops]
