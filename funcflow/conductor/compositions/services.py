"""Performs the tasks of services that funcflow does not have: they fail, each by its name."""

from __future__ import annotations

from collections.abc import Sequence

from funcflow.compositions import signals
from funcflow.compositions.commands import Request, RunTask
from funcflow.compositions.signals import Signal
from funcflow.conductor.compositions import base


class Services:
    """Meets :class:`base.Performer` for ``Kind.SERVICE``."""

    def perform(self, held: base.Held, commands: Sequence[Request], again: bool) -> None:
        for command in commands:
            assert isinstance(command, RunTask)
            held.answer(refused(held.now(), command))

    def cancel(self, held: base.Held, command: Request) -> None:
        """It has failed already."""

    def collect(self, held: base.Held, ends: Sequence[base.End]) -> Sequence[Signal]:
        return ()

    def leave(self, held: base.Held) -> None:
        """Nothing works for it."""

    def stop(self) -> None:
        """Nothing runs."""


def refused(now: float, command: RunTask) -> Signal:
    """The failure of a task whose service there is not."""
    return signals.TaskFailed(
        time=now,
        id=command.id,
        error="Funcflow.NoService",
        cause=f"funcflow has no {command.resource.name}; a function may do it instead",
        refused=True,
    )
