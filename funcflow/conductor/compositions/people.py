"""Performs the tasks that wait for somebody to look for them: approvals, and activities.

Asking makes the task known; the answer comes from outside, with the task's token.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Final

from funcflow import errors
from funcflow.compositions import signals
from funcflow.compositions.commands import Request, RunTask
from funcflow.compositions.events import text
from funcflow.compositions.signals import Signal
from funcflow.compositions.work import AskHuman, Poll
from funcflow.conductor.compositions import base
from funcflow.db import approvals as db
from funcflow.db.engine import Database

LOG = logging.getLogger(__name__)

#: Characters of a question in a list.
MESSAGE: Final = 500


class People:
    """Meets :class:`base.Performer` for ``Kind.APPROVAL`` and ``Kind.ACTIVITY``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def perform(self, held: base.Held, commands: Sequence[Request], again: bool) -> None:
        tasks = [command for command in commands if isinstance(command, RunTask)]
        self._database.write(db.Ask(tuple(_asked(held, task) for task in tasks)))
        held.answer(*(signals.TaskSubmitted(time=held.now(), id=task.id) for task in tasks))

    def cancel(self, held: base.Held, command: Request) -> None:
        def forgotten(done: Future[None]) -> None:
            if done.exception() is not None:
                LOG.info("task %d of %s is still listed", command.id, held.row.id)

        try:
            forget = self._database.submit(db.Forget(held.row.id, command.id))
        except errors.Unavailable:
            return  # It is not shown once its execution has ended.
        forget.add_done_callback(forgotten)

    def collect(self, held: base.Held, ends: Sequence[base.End]) -> Sequence[Signal]:
        return ()

    def leave(self, held: base.Held) -> None:
        """They wait wherever the execution goes on."""

    def stop(self) -> None:
        """Nothing runs here."""


def _asked(held: base.Held, task: RunTask) -> db.Asked:
    assert isinstance(task.work, AskHuman | Poll)
    approval = isinstance(task.work, AskHuman)
    return db.Asked(
        execution_id=held.row.id,
        command=task.id,
        # Its people decide; workers are the definition's, as functions are.
        project_id=held.row.project_id if approval else held.author,
        composition_id=held.row.composition_id,
        kind=task.resource.kind.value,
        name=task.state if approval else task.resource.name,
        message=message_of(task.work),
        token=task.token or "",
        asked_at=task.since,
        due_at=None if task.timeout is None else task.since + task.timeout,
    )


def message_of(work: AskHuman | Poll) -> str:
    """What is asked, short enough for a list."""
    given = work.arguments if isinstance(work, AskHuman) else work.input
    if isinstance(given, dict) and isinstance(given.get("Message"), str):
        given = given["Message"]
    said = given if isinstance(given, str) else text(given)
    # What a database cannot keep is not worth a list either.
    return said[:MESSAGE].replace("\0", "").encode(errors="replace").decode()
