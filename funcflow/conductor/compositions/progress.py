"""Where a held execution is, and what it wants done: gathered over the signals of a turn.

Pure, but for reading the log at the beginning. Used by the holder, by one thread at a time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from funcflow import definitions, models
from funcflow.compositions import signals
from funcflow.compositions.advance import advance
from funcflow.compositions.commands import CancelTask, CancelTimer, Continue, Finish, Request
from funcflow.compositions.execution import Execution
from funcflow.compositions.signals import Signal
from funcflow.db import composition_executions as db
from funcflow.db.engine import Database

#: Signals of a log read at once.
BATCH = 200


class Diverged(Exception):
    """The log does not fit the definition: a fault of ours, or another version of us."""


@dataclasses.dataclass(frozen=True, slots=True)
class Over:
    """A command that nobody waits for any more; ``stop``: it was not answered by its work."""

    command: Request
    stop: bool


class Progress:
    """An execution with the commands it waits for."""

    def __init__(self, execution: Execution, submitted: set[int] | None = None) -> None:
        self.execution = execution
        #: Tasks whose request was accepted, and which wait for a token or an end.
        self.submitted: set[int] = submitted or set()
        #: Tasks that run as executions of their own; their end comes through the inbox.
        self.remote: set[int] = set()
        #: Commands that were handed out, by number.
        self.begun: dict[int, Request] = {}
        self._new: dict[int, Request] = {each.id: each for each in execution.outstanding}
        #: Commands that an earlier life may have handed out.
        self._earlier = set(self._new)
        self._over: list[Over] = []

    def advance(self, signal: Signal, enough: Callable[[], bool]) -> Signal | None:
        """Take a signal; as it has to be logged. None: it changed nothing."""
        execution = self.execution
        before = execution.sequence
        wanted, _ = advance(execution, signal, enough)
        if execution.sequence == before:
            return None
        self._answered(signal)
        for command in wanted:
            match command:
                case Continue():
                    # Where the step ended must be the same in a replay.
                    signal = dataclasses.replace(signal, states=command.states)
                case CancelTask() | CancelTimer():
                    self._end(command.id, stop=True)
                case Finish():
                    pass
                case _:
                    self._new[command.id] = command
        return signal

    def take_new(self) -> list[Request]:
        """Commands to be handed out, oldest first; they count as begun."""
        new, self._new = list(self._new.values()), {}
        for command in new:
            self.begun[command.id] = command
        return new

    def put_back(self, commands: list[Request]) -> None:
        """These could not be begun; those still waited for are new again."""
        for command in commands:
            if self.begun.pop(command.id, None) is not None:
                self._new[command.id] = command

    def take_over(self) -> list[Over]:
        over, self._over = self._over, []
        return over

    def command(self, number: int) -> Request | None:
        """A command that is not answered yet."""
        found = self.execution.waiting.get(number)
        return None if found is None else found[0]

    def ahead(self, number: int) -> bool:
        """Is the command still to be given? In an earlier life it was, with a first signal that
        had not to be durable; this life has not come so far yet."""
        execution = self.execution
        return number > execution.last_command and (
            execution.runnable and execution.type == "STANDARD"
        )

    @property
    def waiting(self) -> list[Request]:
        """All that is not answered yet, begun or not."""
        return self.execution.outstanding

    @property
    def unbegun(self) -> bool:
        """Is there anything to be handed out?"""
        return bool(self._new)

    def _answered(self, signal: Signal) -> None:
        number = getattr(signal, "id", None)
        if number is None:
            return
        if isinstance(signal, signals.TaskSubmitted):
            self.submitted.add(number)
        else:
            self._end(number, stop=isinstance(signal, signals.TaskTimedOut))

    def _end(self, number: int, *, stop: bool) -> None:
        self.submitted.discard(number)
        self.remote.discard(number)
        new = self._new.pop(number, None)
        command = self.begun.pop(number, new if number in self._earlier else None)
        if command is not None:
            self._over.append(Over(command, stop))


def load(
    known: definitions.Definitions, database: Database, row: models.CompositionExecution
) -> Progress:
    """An execution as far as its log goes; one without a log has not taken Started yet.

    :raises Diverged: the log cannot be folded
    """
    execution = known.fresh(row)
    submitted: set[int] = set()
    while execution.sequence < row.sequence:
        before = execution.sequence
        with database.read() as conn:
            entries = db.signals(conn, row.id, before, min(BATCH, row.sequence - before))
        for number, signal in enumerate(known.log(row, entries), before + 1):
            advance(execution, signal)
            if execution.sequence != number:
                raise Diverged(f"entry {number} of the log of execution {row.id} does not fit")
            if isinstance(signal, signals.TaskSubmitted):
                submitted.add(signal.id)
        if execution.sequence == before:
            raise Diverged(f"the log of execution {row.id} ends at {before}")
    return Progress(execution, submitted & execution.waiting.keys())
