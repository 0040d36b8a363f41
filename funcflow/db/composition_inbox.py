"""What others tell an execution of a composition: its inbox, and heartbeats of its tasks.

Used through :mod:`funcflow.db.composition_executions`. The inbox is the truth about what was
told; its holder takes entries into the log and out of the inbox in one transaction.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

from funcflow import states
from funcflow.db import bulk, group, lives
from funcflow.db import composition_rows as rows
from funcflow.states import CompositionState as State


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """``number`` counts from 1 in each execution. ``text`` is JSON: a signal as
    ``compositions.signals.dump`` writes it, or {"type": "Ended", "id": command,
    "execution_id": …, "kind": "function" or "composition"}; or a reference."""

    execution_id: str
    number: int
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Delivered:
    """``number`` is the last entry's. ``owner`` holds it now, if it runs; what waited is queued
    and needs a job."""

    state: State
    owner: str | None
    number: int


_WAKE = lives.Move(
    rows.LIFE,
    State.WAITING,
    State.QUEUED,
    "deliveries = e.deliveries + v.count, wake_at = v.now, updated_at = v.now",
    more="owner deliveries",
    count="int",
    now="real",
)
_TELL = bulk.Statement(
    "UPDATE composition_executions AS e SET deliveries = e.deliveries + v.count"
    " FROM v WHERE e.id = v.id AND e.state IN ('queued', 'running', 'dead')"
    " RETURNING e.id, e.state, e.owner, e.deliveries",
    id="text",
    count="int",
)
_INSERT = bulk.Statement(
    "INSERT INTO composition_inbox AS e (execution_id, number, text)"
    " SELECT v.execution_id, v.number, v.text FROM v WHERE true",
    execution_id="text",
    number="int",
    text="text",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Deliver(rows.Changes[Delivered | None]):
    """Put entries (texts of :class:`Entry`) into its inbox, in order, and wake it if it waits.

    None: unknown, ended or dead. After an unknown outcome entries may be there twice, as signals
    may be: only the first of two answers to a command counts.
    """

    rank: ClassVar[int] = 180
    id: str
    entries: tuple[str, ...]
    now: float

    @property
    def changed(self) -> Collection[str]:
        return (self.id,)

    @property
    def weight(self) -> int:
        return rows.weight(self.entries)

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Deliver]) -> list[Delivered | None]:
        letters: dict[str, list[str]] = {}
        for op in ops:
            letters.setdefault(op.id, []).extend(op.entries)
        done = deliver(batch, letters, max(op.now for op in ops))
        rows.keep_payloads(batch, ((op.id, text) for op in ops for text in op.entries))
        return [done.get(op.id) for op in ops]


def tell(batch: group.Batch) -> None:
    """Deliver the batch's endings. Called by the group commit at the end of a batch.

    Dead letters are told as well: they may be redriven, and need their answers then.
    """
    deliver(batch, batch.endings, time.time(), states.COMPOSITION_OPEN | {State.DEAD})


def deliver(
    batch: group.Batch,
    letters: Mapping[str, Sequence[str]],
    now: float,
    among: Collection[State] = states.COMPOSITION_OPEN,
) -> dict[str, Delivered]:
    """Put texts into the inboxes of those that are in one of these states; by id."""
    rows.hold(batch)
    hear = {key: state for key, state in rows.states_of(batch, letters).items() if state in among}
    waiting = [key for key, state in hear.items() if state == State.WAITING]
    others = [key for key, state in hear.items() if state != State.WAITING]
    woken = _WAKE.run(batch, [(key, len(letters[key]), now) for key in waiting])
    told = [(row[0], row[2], *row[5:]) for row in woken.values()]
    counts = [(key, len(letters[key])) for key in others]
    told += _TELL.run(batch.cursor, batch.dialect, counts)
    source = [
        (key, number, text)
        for key, _, _, last in told
        for number, text in enumerate(letters[key], last - len(letters[key]) + 1)
    ]
    _INSERT.run(batch.cursor, batch.dialect, source)
    return {
        key: Delivered(State(state), owner if state == State.RUNNING else None, last)
        for key, state, owner, last in told
    }


_HEARTBEAT = bulk.Statement(
    "INSERT INTO composition_heartbeats AS e (execution_id, command, at)"
    " SELECT v.id, v.command, v.now FROM v WHERE EXISTS (SELECT 1"
    " FROM composition_executions AS c WHERE c.id = v.id"
    " AND c.state IN ('queued', 'running', 'waiting'))"
    " ON CONFLICT (execution_id, command) DO UPDATE SET at = excluded.at"
    " RETURNING e.execution_id, e.command",
    id="text",
    command="int",
    now="real",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Heartbeat(group.Op[bool]):
    """A sign of life of the task behind a command. False: the execution is not open."""

    rank: ClassVar[int] = 185
    id: str
    command: int
    now: float

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Heartbeat]) -> list[bool]:
        latest = {(op.id, op.command): op.now for op in sorted(ops, key=lambda op: op.now)}
        source = sorted((*key, now) for key, now in latest.items())
        kept = {tuple(row) for row in _HEARTBEAT.run(batch.cursor, batch.dialect, source)}
        return [(op.id, op.command) in kept for op in ops]
