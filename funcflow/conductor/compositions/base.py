"""What the keeper of executions and the performers of their commands ask of each other.

The interpreter (:mod:`funcflow.compositions.advance`) gives commands; once the signal they
come from is durable, the keeper hands each to the performer of its kind. A performer starts
what is asked for and returns; the answer comes later, as a signal given to :class:`Held` or
as an entry of the execution's inbox.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final, Protocol

from funcflow import models
from funcflow.compositions.commands import ReadItems, Request, RunChild, RunTask, WriteResults
from funcflow.compositions.definition import Definition
from funcflow.compositions.signals import Signal

#: Names of performers beside those of :class:`funcflow.compositions.resources.Kind`.
CHILD: Final = "child"
READER: Final = "reader"
WRITER: Final = "writer"


def performer_of(command: Request) -> str:
    """The name of the performer of a command (timers are the keeper's own)."""
    match command:
        case RunTask():
            return command.resource.kind.value
        case RunChild():
            return CHILD
        case ReadItems():
            return READER
        case WriteResults():
            return WRITER
    raise TypeError(f"{command} is not for performers")


class Held(Protocol):
    """An execution that this conductor holds, as performers see it. For any thread."""

    @property
    def row(self) -> models.CompositionExecution:
        """As it was when it was taken: who, what, whose child, under which claim. Its progress
        is not kept up to date."""

    @property
    def definition(self) -> Definition:
        """Compiled, shared, immutable."""

    @property
    def author(self) -> str:
        """The project whose definition it is, which may share it with the row's project: see
        :mod:`funcflow.conductor.compositions.authority`."""

    def now(self) -> float:
        """The wall clock, seconds since the epoch: the time for signals."""

    def answer(self, *answers: Signal) -> None:
        """Answer commands; never blocks. An answer nobody waits for (any more) is ignored,
        also when the execution is held elsewhere by now: its new holder asks again."""


@dataclasses.dataclass(frozen=True, slots=True)
class End:
    """The execution that somebody started for a command has ended, says the inbox."""

    command: Request
    execution_id: str


class Performer(Protocol):
    """Does commands of one or several kinds. Built once per conductor.

    ``perform``, ``cancel`` and ``collect`` are called by the one thread that has the
    execution's turn. They may wait for the database or the board, for nothing else: longer
    work belongs into threads of the performer's own.
    """

    def perform(self, held: Held, commands: Sequence[Request], again: bool) -> None:
        """Start the commands, whose signals are durable.

        Each is answered once or more; only the first answer counts. Deadlines are the keeper's:
        when one passes it answers TaskTimedOut and cancels. ``again``: another conductor (or an
        earlier life of this one) may have started them before, so look first.

        A task that waits (token, .sync) is answered by TaskSubmitted as soon as it was started;
        it is not performed again after that.

        :raises funcflow.errors.Unavailable: the keeper tries all of them again a little later
        """

    def cancel(self, held: Held, command: Request) -> None:
        """Nobody waits for it any more: stop what was started. Best effort."""

    def collect(self, held: Held, ends: Sequence[End]) -> Sequence[Signal]:
        """The answers, read from the rows of executions that ended. Those that are not the
        execution started for the command are left out.

        :raises funcflow.errors.Unavailable: the keeper asks again a little later
        """

    def leave(self, held: Held) -> None:
        """The execution is not held here any more, and may go on elsewhere: stop what works for
        it in this process, let go what runs as an execution of its own. Must not block."""

    def stop(self) -> None:
        """The conductor ends: give up what runs in threads of its own."""


class Launcher(Protocol):
    """Brings new executions of compositions on their way; the keeper is one."""

    def launch(
        self, executions: Sequence[models.CompositionExecution]
    ) -> Sequence[models.CompositionExecution]:
        """Make queued executions durable, many in one step, and have them run here or elsewhere.

        Those that are there already (by id) are left alone: doing it again is harmless. Returns
        them, in order, as they are; one with another id is an older one whose name it is.

        :raises funcflow.errors.Unavailable: some may be durable, others not
        """
