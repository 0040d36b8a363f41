"""Decisions of people: which tasks wait for one, what is asked, and yes or no.

Called by the API, for its page and its lists. Whoever has a task's token, which is the last
part of its link, may decide; a task of another kind that waits for its token can be decided the
same way.
"""

from __future__ import annotations

import dataclasses
import json
import time
from typing import Any, Final

from funcflow import errors, handover, models, starts
from funcflow.compositions import signals, work
from funcflow.compositions.commands import RunTask
from funcflow.compositions.events import timestamp
from funcflow.compositions.resources import Kind
from funcflow.compositions.signals import Signal
from funcflow.db import approvals as db
from funcflow.db.engine import Database

#: Characters of a comment.
COMMENT: Final = 4000
#: Where a task that waits for a decision is decided.
LINK: Final = "/v1/approvals/{token}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What somebody is asked."""

    execution: models.CompositionExecution
    #: Name of the state that waits.
    state: str
    #: What the state gives: a text, an object with Message, or anything; the input of an
    #: activity; None for tasks of other kinds.
    request: Any
    #: Seconds since the epoch.
    asked_at: float
    #: When it is too late; None: never.
    due_at: float | None


class Approvals:
    """For any thread."""

    def __init__(
        self, database: Database, starter: starts.Starter, handover: handover.Handover
    ) -> None:
        self._database = database
        self._starter = starter
        self._handover = handover

    def pending(
        self,
        project_id: str | None,
        limit: int,
        marker: str | None = None,
        execution_id: str | None = None,
    ) -> list[db.Asked]:
        """Approvals that wait in a project (None: in all) or of one execution, oldest first.

        :raises funcflow.errors.BadRequest: there is no such marker
        """
        with self._database.read() as connection:
            return db.pending(
                connection,
                project_id,
                Kind.APPROVAL.value,
                execution_id=execution_id,
                limit=limit,
                marker=marker,
            )

    def question(self, token: str) -> Question:
        """What the task that waits for the token asks.

        :raises funcflow.starts.NoTask: there is no such token
        :raises funcflow.starts.TaskOver: nobody waits for it any more
        """
        execution, task = self._starter.task(token)
        return Question(
            execution=execution,
            state=task.state,
            request=_request(task),
            asked_at=task.since,
            due_at=due_at(task),
        )

    def decide(
        self, token: str, *, approved: bool, comment: str | None = None, by: str | None = None
    ) -> None:
        """Say yes (the task succeeds) or no (it fails with Approval.Rejected).

        :param by: who decided, if that is known
        :raises funcflow.starts.NoTask: there is no such token
        :raises funcflow.starts.TaskOver: nobody waits for it any more, or somebody was faster
        :raises funcflow.errors.BadRequest: the comment is too long
        """
        comment = (comment or "").strip()
        if len(comment) > COMMENT:
            raise errors.BadRequest(f"a comment has {COMMENT} characters at most")
        execution, task = self._starter.task(token)
        answer = _answer(task.id, approved, comment, by)
        if task.resource.kind is Kind.APPROVAL:
            self._heard(execution, task, answer)
        elif isinstance(answer, signals.TaskSucceeded):
            self._starter.task_succeeded(token, answer.output)
        elif isinstance(answer, signals.TaskFailed):
            self._starter.task_failed(token, answer.error, answer.cause)

    def _heard(self, execution: models.CompositionExecution, task: RunTask, answer: Signal) -> None:
        entry = json.dumps(signals.dump(answer))
        decide = db.Decide(execution.id, task.id, entry, time.time())
        told = self._database.write(decide)
        if told is None:
            raise starts.TaskOver("somebody has decided already, or nobody waits any more")
        self._handover.nudge(execution.id, told.owner)


def _request(task: RunTask) -> Any:
    match task.work:
        case work.AskHuman(arguments=given) | work.Poll(input=given):
            return given
    return None


def due_at(task: RunTask) -> float | None:
    """When the time of a task is up, seconds since the epoch."""
    return None if task.timeout is None else task.since + task.timeout


def _answer(number: int, approved: bool, comment: str, by: str | None) -> Signal:
    now = time.time()
    if not approved:
        return signals.TaskFailed(time=now, id=number, error=work.REJECTED, cause=comment)
    output = work.approved(timestamp(now), comment, by)
    return signals.TaskSucceeded(time=now, id=number, output=output)
