"""What happened in executions of compositions, folded from their logs and remembered.

Used by the API: history, pictures, followers, and the question whether a task token is still
waited for. An execution is folded once; later looks take only what its log has got since.
"""

from __future__ import annotations

import collections
import dataclasses
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from funcflow import definitions, errors, models
from funcflow.compositions.advance import advance
from funcflow.compositions.commands import RunTask
from funcflow.compositions.events import Event
from funcflow.compositions.execution import Execution
from funcflow.db import composition_executions as executions
from funcflow.db.engine import Database

#: Events of all remembered executions together.
MOST_EVENTS: Final = 100_000
MOST_EXECUTIONS: Final = 200
#: Seconds that one look may fold; what it got done is kept for the next one.
PATIENCE: Final = 20.0
#: Signals read at once.
_BATCH: Final = 500


class NoHistory(errors.Conflict):
    code = "no_history"
    hint = "Only STANDARD compositions keep one; create it with type STANDARD to look inside."


class Deadline(errors.Unavailable):
    code = "history_too_long"
    hint = "Ask again: what was done so far is remembered."


@dataclasses.dataclass(slots=True, eq=False)
class _Folded:
    """One execution as far as its log was read."""

    execution: Execution
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)
    events: list[Event] = dataclasses.field(default_factory=list)
    #: Signals of the log taken; the first may be one that the log does not have yet.
    taken: int = 0


class Histories:
    """For any thread."""

    def __init__(self, database: Database, known: definitions.Definitions) -> None:
        self._database = database
        self._definitions = known
        self._lock = threading.Lock()
        self._folded: collections.OrderedDict[str, _Folded] = collections.OrderedDict()

    def events(self, row: models.CompositionExecution, after: int = 0) -> Sequence[Event]:
        """The history from behind event ``after`` on, as far as it is durable.

        :raises NoHistory: it is an EXPRESS execution
        :raises Deadline: there is too much of it to read it all now
        """
        with self._current(row) as folded:
            return folded.events[after:]

    def waiting(self, row: models.CompositionExecution) -> list[RunTask]:
        """The tasks it waits for, oldest first.

        :raises NoHistory: it is an EXPRESS execution
        """
        with self._current(row) as folded:
            return [each for each in folded.execution.outstanding if isinstance(each, RunTask)]

    def answered(self, row: models.CompositionExecution, command: int) -> bool:
        """Whether nobody waits for the answer of a command any more, as far as the log goes.

        :raises NoHistory: it is an EXPRESS execution
        """
        with self._current(row) as folded:
            execution = folded.execution
            return command <= execution.last_command and command not in execution.waiting

    @contextmanager
    def _current(self, row: models.CompositionExecution) -> Iterator[_Folded]:
        if row.type == "EXPRESS":
            raise NoHistory(f"execution {row.id} is EXPRESS, of which only the outcome is kept")
        with self._lock:
            known = self._folded.get(row.id)
        made = known or _Folded(self._definitions.fresh(row))
        with self._lock:
            folded = self._folded.setdefault(row.id, made)
            self._folded.move_to_end(row.id)
        try:
            with folded.lock:
                self._read_on(row, folded)
                yield folded
        finally:
            self._shrink()

    def _read_on(self, row: models.CompositionExecution, folded: _Folded) -> None:
        """Take what the log has got since."""
        if row.started_at is None:
            return
        give_up = time.monotonic() + PATIENCE
        while True:
            with self._database.read() as connection:
                batch = executions.signals(connection, row.id, folded.taken, _BATCH)
            if not batch and folded.taken:
                return
            for signal in self._definitions.log(row, batch):
                folded.events += advance(folded.execution, signal)[1]
                folded.taken += 1
                if time.monotonic() > give_up:
                    raise Deadline(f"the log of execution {row.id} is long", retry_after=1.0)
            if len(batch) < _BATCH:
                return

    def _shrink(self) -> None:
        with self._lock:
            total = sum(len(each.events) for each in self._folded.values())
            while len(self._folded) > 1 and (
                total > MOST_EVENTS or len(self._folded) > MOST_EXECUTIONS
            ):
                _, oldest = self._folded.popitem(last=False)
                total -= len(oldest.events)
