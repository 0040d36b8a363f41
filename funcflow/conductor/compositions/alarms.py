"""The times that a held execution waits for: timers, deadlines of tasks, heartbeats.

Used by its holder. What is due comes as mail: a signal, or the question whether a heartbeat came.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final

from funcflow import errors
from funcflow.compositions import signals
from funcflow.compositions.commands import Request, RunTask, StartTimer
from funcflow.compositions.signals import Signal
from funcflow.conductor.compositions import parking, timers
from funcflow.db import composition_executions as db
from funcflow.db.engine import Database

#: Seconds until what could not be done is tried again.
AGAIN: Final = 0.5


@dataclasses.dataclass(frozen=True, slots=True)
class BeatDue:
    """By now the next heartbeat of this task should have come."""

    command: RunTask


class Alarms:
    """Of one execution. ``put`` is called by the timers' thread."""

    def __init__(
        self,
        execution_id: str,
        shared: timers.Timers,
        database: Database,
        now: Callable[[], float],
        put: Callable[[Signal | BeatDue | None], None],
    ) -> None:
        self._id = execution_id
        self._timers = shared
        self._database = database
        self._now = now
        self._put = put
        #: The latest heartbeat known, by command.
        self.beats: dict[int, float] = {}

    def set(self, command: Request) -> None:
        """A command was begun: mind its times, if it has any."""
        if isinstance(command, StartTimer):
            fired = signals.TimerFired(time=max(self._now(), command.due), id=command.id)
            if command.due <= self._now():
                self._put(fired)
            else:
                self._set(command.id, command.due, fired)
        elif isinstance(command, RunTask):
            if command.timeout is not None:
                due = parking.deadline(command)
                self._set(command.id, due, signals.TaskTimedOut(time=due, id=command.id))
            if command.heartbeat is not None:
                self._set_beat(command, parking.beat_due(command, self.beats))

    def cancel(self, command: Request) -> None:
        """It is answered, or nobody waits for it any more."""
        self._timers.cancel((self, command.id))
        if isinstance(command, RunTask) and command.heartbeat is not None:
            self._timers.cancel((self, command.id, "beat"))

    def wake(self, what: str) -> None:
        """Have another turn in a moment, because ``what`` was not possible."""
        self._timers.set((self, what), self._now() + AGAIN, lambda: self._put(None))

    def late(self, due: BeatDue) -> Signal | None:
        """The time-out of a task whose heartbeat has not come; else the next one is waited for."""
        command = due.command
        try:
            with self._database.read() as conn:
                self.beats = db.heartbeats(conn, self._id)
        except errors.Unavailable:
            self._set_beat(command, self._now() + AGAIN)
            return None
        next_due = parking.beat_due(command, self.beats)
        if next_due <= self._now():
            return signals.TaskTimedOut(time=self._now(), id=command.id, heartbeat=True)
        self._set_beat(command, next_due)
        return None

    def _set_beat(self, command: RunTask, due: float) -> None:
        mail = BeatDue(command)
        self._timers.set((self, command.id, "beat"), due, lambda: self._put(mail))

    def _set(self, number: int, due: float, mail: Signal) -> None:
        self._timers.set((self, number), due, lambda: self._put(mail))
