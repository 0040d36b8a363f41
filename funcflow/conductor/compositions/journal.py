"""The log of a held execution: what is not written yet, and the one append that writes it.

Used by :class:`~funcflow.conductor.compositions.holder.Holder`, within a turn. An append is one
operation of the group commit: signals, entries taken from the inbox, rows of functions that
ran, and what becomes of the execution.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import threading
from collections.abc import Callable
from typing import Final, TypeVar

from funcflow import errors, models, offload
from funcflow.compositions import execution as language
from funcflow.compositions import signals
from funcflow.compositions.signals import Signal
from funcflow.db import composition_executions as db
from funcflow.db.engine import Database
from funcflow.states import CompositionState

LOG = logging.getLogger(__name__)

A = TypeVar("A")
R = TypeVar("R")

#: Seconds between tries while the database or the store is away.
RETRY: Final = 0.5

_STATES: Final = {
    language.SUCCEEDED: CompositionState.SUCCEEDED,
    language.FAILED: CompositionState.FAILED,
    language.TIMED_OUT: CompositionState.TIMED_OUT,
    language.ABORTED: CompositionState.ABORTED,
}
_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), check_circular=False).encode


class Stopping(Exception):
    """The conductor ends before the database came back."""


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """A function's run that ended here: its row, and what it printed."""

    execution: models.Execution
    logs: tuple[models.LogChunk, ...]


class Journal:
    """Of one execution. Not for several threads at once."""

    def __init__(
        self,
        row: models.CompositionExecution,
        database: Database,
        texts: offload.Offload,
        stopping: threading.Event,
    ) -> None:
        self._row = row
        self._database = database
        self._texts = texts
        self._stopping = stopping
        #: EXPRESS keeps no log.
        self._keeps = row.type == "STANDARD"
        self._durable = row.sequence
        self._consumed = row.consumed
        self._signals: list[Signal] = []
        self._taken = 0
        self._records: list[Record] = []
        #: The time of the last append, as the row has it.
        self.written_at = 0.0

    @property
    def taken(self) -> int:
        """Number of the last entry of the inbox that was taken."""
        return self._consumed + self._taken

    @property
    def grew(self) -> bool:
        """Whether anything was appended since it was taken."""
        return self._durable > self._row.sequence

    def add(self, signal: Signal) -> None:
        """A signal that the execution took."""
        if self._keeps:
            self._signals.append(signal)

    def take(self, number: int) -> None:
        """The inbox was taken up to this entry."""
        self._taken = number - self._consumed

    def record(self, record: Record) -> None:
        if self._keeps:
            self._records.append(record)

    @property
    def due(self) -> bool:
        """Whether something must be durable before anything else is done.

        The first signal follows from the row, so alone it need not be.
        """
        if self._taken:
            return True
        implied = (
            self._durable == 0
            and len(self._signals) == 1
            and isinstance(self._signals[0], signals.Started)
            and self._signals[0].states is None
        )
        return bool(self._signals) and not implied

    def write(
        self, execution: language.Execution, then: db.Stay | db.Park | db.Settle, now: float
    ) -> db.Appended | None:
        """Append; None: the execution is not held under this claim any more, or not as we
        think.

        Tries until the database answers: what happened has happened, and doing it twice would
        be worse than being late.

        :raises Stopping: the conductor ends meanwhile
        """
        records, self._records = self._records, []
        op = db.Append(
            id=self._row.id,
            epoch=self._row.epoch,
            owner=self._row.owner or "",
            first=self._durable + 1,
            signals=tuple(self.insist(self._text, signal) for signal in self._signals),
            consumed=self.taken,
            taken=self._taken,
            then=then,
            records=tuple(record.execution for record in records),
            logs=tuple((record.execution.id, record.logs) for record in records if record.logs),
            paused=execution.paused,
            redrives=execution.redrives,
            now=now,
        )
        answer = self.insist(self._database.write, op)
        if answer is not None:
            self._durable += len(self._signals)
            self._consumed = self.taken
            self._signals, self._taken = [], 0
            self.written_at = now
        return answer

    def outcome(self, execution: language.Execution) -> db.Settle:
        """What the row says of an execution that has ended."""
        output = None
        if execution.status == language.SUCCEEDED:
            output = self.insist(self._texts.out, _encode(execution.output))
        return db.Settle(
            state=_STATES[execution.status],
            output=output,
            error=execution.error,
            cause=execution.cause,
        )

    def _text(self, signal: Signal) -> str:
        return self._texts.out(_encode(signals.dump(signal)))

    def insist(self, call: Callable[[A], R], argument: A) -> R:
        while True:
            try:
                return call(argument)
            except errors.Unavailable as exc:
                LOG.warning("execution %s: a step is kept: %s", self._row.id, exc)
                if self._stopping.wait(RETRY):
                    raise Stopping from exc
