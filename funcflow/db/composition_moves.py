"""What becomes of a composition's execution that nobody goes on with, for now or for good.

Used through :mod:`funcflow.db.composition_executions`. Each operation may be applied again.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Sequence
from typing import ClassVar

from funcflow import models
from funcflow.compositions import signals as core
from funcflow.db import bulk, composition_inbox, group, lives
from funcflow.db import composition_rows as rows
from funcflow.states import CompositionState as State

Move = functools.partial(lives.Move, rows.LIFE)

_CLAIM = "AND e.epoch = v.epoch AND e.owner = v.owner"

_REQUEUE = Move(
    State.RUNNING,
    State.QUEUED,
    "posted = FALSE, wake_at = v.not_before, reason = v.reason, owner = NULL, updated_at = v.now,"
    " attempts = CASE WHEN e.attempts > v.given_back THEN e.attempts - v.given_back ELSE 0 END",
    _CLAIM,
    epoch="int",
    owner="text",
    not_before="real",
    reason="text",
    given_back="int",
    now="real",
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Requeue(rows.OnComposition[bool]):
    """The holder gives it back until ``not_before``; it needs a new job then.
    ``count_attempt`` False gives the attempt back. False: another claim holds it, or it ended."""

    rank: ClassVar[int] = 150
    id: str
    epoch: int
    owner: str
    not_before: float
    reason: str
    count_attempt: bool = True
    now: float

    def source(self) -> bulk.Row:
        back = 0 if self.count_attempt else 1
        return (self.id, self.epoch, self.owner, self.not_before, self.reason, back, self.now)

    def took(self, now: models.CompositionExecution) -> bool:
        return now.state is State.QUEUED and now.epoch == self.epoch

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Requeue]) -> list[bool]:
        rows.hold(batch)
        return [row is not None for row in rows.looks.apply(batch, ops, _REQUEUE)]


_BURY = "reason = v.reason, updated_at = v.now"
_BURIED = {"epoch": "int", "owner": "text", "reason": "text", "now": "real"}
_BURY_QUEUED = Move(State.QUEUED, State.DEAD, _BURY, "AND v.epoch IS NULL", **_BURIED)
_BURY_RUNNING = Move(State.RUNNING, State.DEAD, _BURY, _CLAIM, **_BURIED)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bury(rows.OnComposition[bool]):
    """Dead-letter it: what runs under this claim or, without a claim, what is queued. Its
    parent is told."""

    rank: ClassVar[int] = 170
    id: str
    epoch: int | None = None
    owner: str | None = None
    reason: str
    now: float

    @property
    def ends(self) -> bool:
        return True

    def source(self) -> bulk.Row:
        return (self.id, self.epoch, self.owner, self.reason, self.now)

    def took(self, now: models.CompositionExecution) -> bool:
        if now.state is not State.DEAD or now.reason != self.reason:
            return False
        return now.updated_at == self.now or now.epoch == self.epoch

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Bury]) -> list[bool]:
        rows.hold(batch)
        done = rows.looks.apply(batch, ops, _BURY_QUEUED, _BURY_RUNNING)
        return [row is not None for row in done]


_AGAIN = (
    "attempts = 0, reason = NULL, posted = FALSE, owner = NULL, wake_at = v.now, updated_at = v.now"
)
_REDRIVES = {
    state: Move(
        state,
        State.QUEUED,
        f"{_AGAIN}, output = NULL, error = NULL, cause = NULL, finished_at = NULL",
        now="real",
    )
    for state in (State.FAILED, State.TIMED_OUT, State.ABORTED)
}
_REVIVE = Move(State.DEAD, State.QUEUED, _AGAIN, now="real")


@dataclasses.dataclass(frozen=True, slots=True)
class Redrive(rows.OnComposition[bool]):
    """Queue again what ended without success, with ``Redriven`` in its inbox, or a dead letter
    as it was. It needs a new job. False: it is neither, or unknown."""

    rank: ClassVar[int] = 190
    id: str
    now: float

    def source(self) -> bulk.Row:
        return (self.id, self.now)

    def took(self, now: models.CompositionExecution) -> bool:
        return now.state is State.QUEUED and now.updated_at == self.now

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Redrive]) -> list[bool]:
        rows.hold(batch)
        states = rows.states_of(batch, [op.id for op in ops])
        done = _REVIVE.run(batch, _in_state(ops, states, State.DEAD))
        for state, move in _REDRIVES.items():
            moved = move.run(batch, _in_state(ops, states, state))
            done |= moved
            letters = {op.id: [_redriven(op.now)] for op in ops if op.id in moved}
            if letters:
                composition_inbox.deliver(batch, letters, ops[0].now)
        return [row is not None for row in rows.looks.again(batch, ops, done)]


def _in_state(ops: Sequence[Redrive], states: dict[str, str], state: State) -> list[bulk.Row]:
    return [op.source() for op in ops if states.get(op.id) == state]


def _redriven(now: float) -> str:
    return json.dumps(core.dump(core.Redriven(time=now)))
