"""How a composition's execution goes on, step by step: the holder's appends to its log.

Used through :mod:`funcflow.db.composition_executions`. What the holder knows is a fold of the
log, so an append says where it continues the log and the inbox; one that does not fit changes
nothing.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import ClassVar

import sqlalchemy as sa

from funcflow import models
from funcflow.db import admission, bulk, group, lives, logs
from funcflow.db import composition_rows as rows
from funcflow.db.rows import clean
from funcflow.states import CompositionState as State

Move = functools.partial(lives.Move, rows.LIFE)


@dataclasses.dataclass(frozen=True, slots=True)
class Stay:
    """The holder keeps it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Park:
    """Nobody holds it until ``wake_at``, or until its inbox gets an entry (None: only then).

    It may be woken, and its job be posted, before its old job is consumed: whoever consumed
    that looks afterwards (``queued_among``) and posts again.
    """

    wake_at: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """It ended. ``output``: JSON text or a reference."""

    state: State
    output: str | None = None
    error: str | None = None
    cause: str | None = None

    def __post_init__(self) -> None:
        if self.state not in _SETTLE.targets:
            raise ValueError(f"{self.state} is no outcome of a run")


@dataclasses.dataclass(frozen=True, slots=True)
class Appended:
    """The append took. ``parked`` False after :class:`Park`: entries came meanwhile, it still
    runs under this claim. ``deliveries``: entries its inbox ever got, as of now."""

    parked: bool
    deliveries: int


_CLAIM = "AND e.epoch = v.epoch AND e.owner = v.owner"
_FITS = (
    f"{_CLAIM} AND e.sequence = v.sequence - v.logged"
    " AND e.consumed = v.consumed - v.taken AND e.deliveries >= v.consumed"
)
_GROWTH = (
    "sequence = v.sequence, consumed = v.consumed, paused = v.paused, redrives = v.redrives,"
    " attempts = 0, updated_at = v.now"
)
_GROWN = {
    "epoch": "int",
    "owner": "text",
    "sequence": "int",
    "logged": "int",
    "consumed": "int",
    "taken": "int",
    "paused": "bool",
    "redrives": "int",
    "now": "real",
}
_STAY = bulk.Statement(
    f"UPDATE composition_executions AS e SET {_GROWTH} FROM v"  # noqa: S608
    f" WHERE e.id = v.id AND e.state = 'running' {_FITS} RETURNING e.id, e.state, e.deliveries",
    id="text",
    **_GROWN,
)
_PARK = Move(
    State.RUNNING,
    State.WAITING,
    f"{_GROWTH}, posted = FALSE, owner = NULL, wake_at = v.wake_at",
    f"{_FITS} AND e.deliveries = v.consumed",
    more="deliveries",
    **_GROWN,
    wake_at="real",
)
_SETTLE = Move(
    State.RUNNING,
    None,
    f"{_GROWTH}, output = v.output, error = v.error, cause = v.cause, reason = NULL,"
    " finished_at = v.now",
    _FITS,
    more="deliveries",
    **_GROWN,
    state="text",
    output="text",
    error="text",
    cause="text",
)
_LOG = bulk.Statement(
    "INSERT INTO composition_signals AS e (execution_id, number, text)"
    " SELECT v.execution_id, v.number, v.text FROM v WHERE true",
    execution_id="text",
    number="int",
    text="text",
)
_TAKE = bulk.Statement(
    "DELETE FROM composition_inbox AS e USING v"
    " WHERE e.execution_id = v.execution_id AND e.number <= v.number",
    execution_id="text",
    number="int",
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Append(rows.OnComposition[Appended | None]):
    """Signals for the log, taken from the inbox or not, and what becomes of the execution.

    None: another claim holds it, it ended, or ``first`` and ``consumed`` do not continue the
    row (read it again). Nothing is written then. An append resets the attempts. A settled child
    tells its parent's inbox. Applied again it answers as the first time.

    ``first``: number of the first of ``signals`` (JSON in ASCII, or references), or, without
    any, of the next: the row's ``sequence`` + 1. ``consumed``: entries taken from the inbox
    altogether, these ``taken`` included; they are deleted. ``records``: settled function
    executions that ran on the way, to be shown as rows of their own, with ``logs`` as
    (execution id, chunks). ``paused`` and ``redrives``: as they are after the signals.
    """

    rank: ClassVar[int] = 140
    id: str
    epoch: int
    owner: str
    first: int
    signals: tuple[str, ...] = ()
    consumed: int
    taken: int = 0
    then: Stay | Park | Settle = Stay()
    records: tuple[models.Execution, ...] = ()
    logs: tuple[tuple[str, tuple[models.LogChunk, ...]], ...] = ()
    paused: bool
    redrives: int
    now: float

    @property
    def ends(self) -> bool:
        return isinstance(self.then, Settle)

    @property
    def weight(self) -> int:
        return rows.weight(self.signals) + len(self.records)

    @property
    def sequence(self) -> int:
        """Of the row afterwards."""
        return self.first + len(self.signals) - 1

    def source(self) -> bulk.Row:
        grown = (
            self.id,
            self.epoch,
            self.owner,
            self.sequence,
            len(self.signals),
            self.consumed,
            self.taken,
            self.paused,
            self.redrives,
            self.now,
        )
        match self.then:
            case Settle(state=state, output=output, error=error, cause=cause):
                said = (None if text is None else clean(text) for text in (output, error, cause))
                return (*grown, state.value, *said)
            case Park(wake_at=wake_at):
                return (*grown, wake_at)
            case _:
                return grown

    def took(self, now: models.CompositionExecution) -> bool:
        grown = (now.epoch, now.sequence, now.consumed)
        if grown != (self.epoch, self.sequence, self.consumed):
            return False
        if now.state is State.RUNNING:
            return now.owner == self.owner and not self.ends
        if isinstance(self.then, Settle):
            return now.state is self.then.state
        return isinstance(self.then, Park) and now.state in (State.WAITING, State.QUEUED)

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Append]) -> list[Appended | None]:
        rows.hold(batch)
        done = _grow(batch, ops)
        new = [op for op in ops if op.id in done]
        _write(batch, new)
        left = [op for op in ops if op.id not in done]
        if left:
            done |= _took_before(batch, left)
        return [done.get(op.id) for op in ops]


def _grow(batch: group.Batch, ops: Sequence[Append]) -> dict[str, Appended]:
    """Move the rows; the answers of those that fit, by id."""
    ends = [op.source() for op in ops if isinstance(op.then, Settle)]
    parks = [op for op in ops if isinstance(op.then, Park)]
    parked = _PARK.run(batch, [op.source() for op in parks])
    done = {key: Appended(True, row[-1]) for key, row in parked.items()}
    done |= {key: Appended(False, row[-1]) for key, row in _SETTLE.run(batch, ends).items()}
    # Who has unread entries cannot park, and stays.
    width = len(_GROWN) + 1
    stays = [op.source()[:width] for op in ops if not op.ends and op.id not in parked]
    for key, _, deliveries in _STAY.run(batch.cursor, batch.dialect, stays):
        done[key] = Appended(False, deliveries)
    return done


def _took_before(batch: group.Batch, ops: Sequence[Append]) -> dict[str, Appended]:
    """The answers of those that an earlier try of the same batch has written."""
    done = {}
    for op, row in zip(ops, rows.looks.again(batch, ops, {}), strict=True):
        if row is not None and _logged(batch, op):
            now = rows.to_execution(row)
            parked = now.state is not State.RUNNING and not op.ends
            done[op.id] = Appended(parked, now.deliveries)
    return done


_LAST = sa.text(
    "SELECT text FROM composition_signals"
    " WHERE execution_id = :id AND number >= :first ORDER BY number"
)


def _logged(batch: group.Batch, op: Append) -> bool:
    """Whether the log ends with the very signals of the operation."""
    found = batch.connection.execute(_LAST, {"id": op.id, "first": op.first})
    return tuple(found.scalars()) == op.signals


def _write(batch: group.Batch, ops: Sequence[Append]) -> None:
    """What goes with the moves: the log, what is taken from the inbox, records."""
    cursor, dialect = batch.cursor, batch.dialect
    signals = [
        (op.id, number, text) for op in ops for number, text in enumerate(op.signals, op.first)
    ]
    _LOG.run(cursor, dialect, signals)
    _TAKE.run(cursor, dialect, [(op.id, op.consumed) for op in ops if op.taken])
    admission.record(batch, [record for op in ops for record in op.records])
    logs.write(batch, (chunks for op in ops for chunks in op.logs))
    outputs = ((op.id, op.then.output) for op in ops if isinstance(op.then, Settle))
    rows.keep_payloads(batch, ((key, text) for key, _, text in signals))
    rows.keep_payloads(batch, outputs)
