"""The one way in for compositions: from a request to an execution, and what it is told later.

Called by the API; the conductor makes the executions that compositions start themselves with
the same :func:`row`. The counterpart for functions is :mod:`funcflow.submit`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hmac
import json
import re
import secrets
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any, Final

from oslo_config import cfg

from funcflow import callbacks, errors, handover, histories, ids, models, offload, queues, states
from funcflow.composition_targets import CompositionTarget, CompositionTargets
from funcflow.compositions import signals
from funcflow.compositions.commands import RunTask
from funcflow.compositions.resources import Kind
from funcflow.compositions.signals import Signal
from funcflow.db import approvals
from funcflow.db import composition_executions as executions
from funcflow.db.engine import Database
from funcflow.jobboards import base as board_base

#: Seconds between looks at a row whose conductor does not answer (any more).
LOOK: Final = 0.05
#: Seconds a conductor may take to write the row of an execution it was handed.
DURABLE: Final = 5.0
#: Seconds that stop, pause and resume wait for their effect before they answer.
EFFECT: Final = 2.0
#: Seconds an idea of what a name means is kept without an announcement.
TARGET_AGE: Final = 5.0
#: Names an execution may have.
NAME: Final = re.compile(r"[^\s\x00-\x1f\x7f/?#\\]{1,80}")

_TOKEN = re.compile(r"(?P<id>[0-9a-f]{32})\.(?P<command>[0-9]{1,9})\.[0-9A-Za-z-]{1,200}")


class NoTask(errors.NotFound):
    """As AWS's TaskDoesNotExist."""

    code = "no_task"
    hint = "Check the token: it must be sent back as it was given."


class TaskOver(errors.Conflict):
    """As AWS's TaskTimedOut."""

    code = "task_over"
    hint = "It was answered, timed out or was stopped; nobody waits for the token any more."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What to run. ``composition``: id or name."""

    composition: str
    version: int = models.LATEST
    alias: str | None = None
    #: JSON text; None: {}.
    input: str | None = None
    #: None: it is called by its id.
    name: str | None = None
    sync: bool = False
    #: Seconds a synchronous caller waits; None: the configured time.
    wait: float | None = None
    #: Who is to be told of the end of an asynchronous one.
    callback: callbacks.Wanted | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Begun:
    """``execution`` as it is now; ``created`` False: the name was known."""

    execution: models.CompositionExecution
    created: bool


def row(
    target: CompositionTarget,
    context: models.RequestContext,
    shard: int,
    input: str | None,
    *,
    name: str | None = None,
    **more: Any,
) -> models.CompositionExecution:
    """A new queued execution of the target.

    :param input: JSON text, or a reference to one in the store
    :param name: None: it is called by its id
    :param more: fields that are not as of a fresh start: id, parent, created_at …
    """
    fields: dict[str, Any] = {"id": ids.new(), "created_at": time.time(), **more}
    return models.CompositionExecution(
        project_id=context.project_id,
        composition_id=target.composition_id,
        composition_version=target.version,
        revision=target.revision,
        type=target.type,
        name=name or fields["id"],
        shard=shard,
        input=input,
        borrowed=target.project_id != context.project_id,
        seed=secrets.token_hex(16),
        request_id=context.request_id,
        traceparent=context.traceparent,
        **fields,
    )


class Starter:
    """Starts executions of compositions and passes on what they are told. For any thread."""

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        database: Database,
        board: board_base.Board,
        handover: handover.Handover,
        texts: offload.Offload,
        known: histories.Histories,
    ) -> None:
        self._conf = conf
        self._database = database
        self._board = board
        self._handover = handover
        self._texts = texts
        self._histories = known
        self._targets = CompositionTargets(database, TARGET_AGE)
        self._queues = queues.Queues(conf, database, "composition")
        self._stopping = threading.Event()

    def start(self, context: models.RequestContext, start: Start) -> Begun:
        """Accept durably, and for a synchronous start wait for the outcome.

        :raises funcflow.errors.NotFound: no such composition, version or alias in the project
        :raises funcflow.errors.Forbidden: it is another project's, and not shared to run this
        :raises funcflow.errors.TooMany: queues or conductors are full
        :raises funcflow.errors.Unavailable: it could not be made durable; nothing was kept
        :raises funcflow.errors.Conflict: the name came with another input before
        """
        if start.name is not None and not NAME.fullmatch(start.name):
            raise errors.BadRequest(
                "the name of an execution has 1 to 80 characters, no blanks and none of / ? # \\",
                code="bad_name",
            )
        target = self._targets.resolve(context, start.composition, start.version, start.alias)
        if start.name is not None:
            with self._database.read() as connection:
                key = (target.composition_id, context.project_id, start.name)
                older = executions.by_name(connection, *key)
            if older is not None:
                return self._again(older, start)
        made = row(
            target,
            context,
            self._board.shard_of(target.composition_id),
            None if start.input is None else self._texts.out(start.input),
            name=start.name,
            composition_alias=start.alias,
        )
        return self._run(made, start) if start.sync else self._post(made, start)

    def resolve(
        self, context: models.RequestContext, composition: str, version: int, alias: str | None
    ) -> CompositionTarget:
        """What a start would run; errors as of :meth:`start`."""
        return self._targets.resolve(context, composition, version, alias)

    def stop(
        self,
        execution: models.CompositionExecution,
        error: str | None = None,
        cause: str | None = None,
    ) -> models.CompositionExecution:
        """End it as ABORTED; the execution as it is then, or soon after.

        :raises funcflow.errors.Conflict: it has ended already
        """
        self._tell(execution, signals.Stopped(time=time.time(), error=error, cause=cause))
        return self._see(execution.id, lambda now: now.state not in states.COMPOSITION_OPEN)

    def pause(self, execution: models.CompositionExecution) -> models.CompositionExecution:
        """Let it enter no new state; errors as of :meth:`stop`."""
        self._tell(execution, signals.Paused(time=time.time()))
        return self._see(execution.id, lambda now: now.paused)

    def resume(self, execution: models.CompositionExecution) -> models.CompositionExecution:
        """Let it go on; errors as of :meth:`stop`."""
        self._tell(execution, signals.Resumed(time=time.time()))
        return self._see(execution.id, lambda now: not now.paused)

    def redrive(
        self, context: models.RequestContext, execution: models.CompositionExecution
    ) -> models.CompositionExecution:
        """Let what ended without success go on where it ended; a dead letter, where it was.

        :raises funcflow.errors.Conflict: it runs, succeeded, or is of a kind that cannot
        :raises funcflow.errors.Forbidden: what it runs is no longer shared
        """
        self._targets.check(context, execution)
        if execution.map_state is not None:
            raise errors.Conflict(
                f"execution {execution.id} is a part of a Map",
                code="not_redrivable",
                hint=f"Redrive the whole: {execution.parent_id}.",
            )
        if execution.type == "EXPRESS" and execution.state is not states.CompositionState.DEAD:
            raise errors.Conflict(
                f"execution {execution.id} is EXPRESS, of which nothing is kept to go on from",
                code="not_redrivable",
                hint="Start a new execution.",
            )
        if not self._database.write(executions.Redrive(execution.id, time.time())):
            raise errors.Conflict(
                f"execution {execution.id} is {self._get(execution.id).state}",
                code="not_redrivable",
                hint="What failed, timed out, was aborted, or is a dead letter can be redriven.",
            )
        self._handover.nudge(execution.id)
        return self._get(execution.id)

    # -- task tokens ----------------------------------------------------------------------

    def task_succeeded(self, token: str, output: Any) -> None:
        """Answer the task that waits for the token with its result, a JSON value.

        :raises NoTask: the token is none of ours
        :raises TaskOver: nobody waits for it any more
        """
        execution, task = self._waiting(token)
        done = signals.TaskSucceeded(time=time.time(), id=task.id, output=output)
        self._tell(execution, done, gone=TaskOver)
        self._forget_task(execution, task)

    def task_failed(self, token: str, error: str | None, cause: str | None) -> None:
        """Fail the task that waits for the token; errors as of :meth:`task_succeeded`."""
        execution, task = self._waiting(token)
        failed = signals.TaskFailed(time=time.time(), id=task.id, error=error, cause=cause)
        self._tell(execution, failed, gone=TaskOver)
        self._forget_task(execution, task)

    def task_lives(self, token: str) -> None:
        """A heartbeat of the task that waits; errors as of :meth:`task_succeeded`."""
        execution, task = self._waiting(token)
        if not self._database.write(executions.Heartbeat(execution.id, task.id, time.time())):
            raise TaskOver(f"execution {execution.id} has ended")

    def task(self, token: str) -> tuple[models.CompositionExecution, RunTask]:
        """Which task waits for the token; errors as of :meth:`task_succeeded`."""
        return self._waiting(token)

    # -- life -----------------------------------------------------------------------------

    def forget(self) -> None:
        """Compositions, versions or aliases changed somewhere."""
        self._targets.forget()

    def close(self) -> None:
        """Let nobody wait any longer."""
        self._stopping.set()

    # -- the two ways in ------------------------------------------------------------------

    def _run(self, made: models.CompositionExecution, start: Start) -> Begun:
        wait = self._conf.api.sync_wait if start.wait is None else start.wait
        deadline = time.monotonic() + wait
        after = self._handover.start_composition(made, wait)
        if after is not None and after.id != made.id:
            return self._again(after, start)
        if after is None or after.state in states.COMPOSITION_OPEN:
            after = self._await(made.id, deadline)
        return Begun(after, True)

    def _post(self, made: models.CompositionExecution, start: Start) -> Begun:
        if not self._board.connected:
            raise errors.Unavailable("the jobboard cannot be reached", retry_after=2.0)
        self._queues.check(made.project_id)
        room = self._board.depth(made.shard) < self._conf.jobboard.window // 2
        (inserted,) = self._database.write(executions.Insert((made,), room, start.callback))
        if not inserted.created:
            return self._again(inserted.execution, start)
        if room:
            try:
                self._board.post([_ticket(made)])
            except errors.Unavailable:
                # The job may be there or not; without its row it is only consumed.
                if self._database.write(executions.Remove(made.id)):
                    raise
        return Begun(inserted.execution, True)

    def _again(self, older: models.CompositionExecution, start: Start) -> Begun:
        """The name was used before: for this very start, or it is a mistake."""
        before = None if older.input is None else self._texts.back(older.input)
        if before != start.input:
            raise errors.Conflict(
                f"execution {older.id} has the name {older.name!r} and another input",
                code="execution_exists",
                hint="Use a fresh name for a different input.",
            )
        if start.sync and older.state in states.COMPOSITION_OPEN:
            wait = self._conf.api.sync_wait if start.wait is None else start.wait
            older = self._await(older.id, time.monotonic() + wait)
        return Begun(older, False)

    def _await(self, execution_id: str, deadline: float) -> models.CompositionExecution:
        """The row, once settled or dead or when the wait ends."""
        patience = time.monotonic() + DURABLE
        while True:
            with self._database.read() as connection:
                execution = executions.find(connection, execution_id)
            if execution is not None and execution.state not in states.COMPOSITION_OPEN:
                return execution
            # Without a row there is nothing to answer with yet: its conductor may be about
            # to write it, or is gone.
            left = (deadline if execution is not None else patience) - time.monotonic()
            if left > 0 and not self._stopping.wait(min(LOOK, left)):
                continue
            if execution is None:
                raise errors.Unavailable(
                    "the start was lost before it was durable", retry_after=1.0
                )
            return execution

    # -- parts ----------------------------------------------------------------------------

    def _waiting(self, token: str) -> tuple[models.CompositionExecution, RunTask]:
        match = _TOKEN.fullmatch(token)
        if match is None:
            raise NoTask("that is no task token")
        with self._database.read() as connection:
            execution = executions.find(connection, str(uuid.UUID(match["id"])))
        if execution is None or execution.type == "EXPRESS":
            raise NoTask("no task has this token")
        if execution.state not in states.COMPOSITION_OPEN:
            raise TaskOver(f"execution {execution.id} has ended")
        number = int(match["command"])
        tasks = self._histories.waiting(execution)
        task = next((task for task in tasks if task.id == number), None)
        if task is None:
            raise TaskOver("the task does not wait for this token (any more)")
        if not hmac.compare_digest(task.token or "", token):
            raise NoTask("no task has this token")
        return execution, task

    def _forget_task(self, execution: models.CompositionExecution, task: RunTask) -> None:
        """It was answered: nobody needs to find it any more."""
        if task.resource.kind in (Kind.APPROVAL, Kind.ACTIVITY):
            with contextlib.suppress(errors.Unavailable):
                self._database.submit(approvals.Forget(execution.id, task.id))

    def _tell(
        self,
        execution: models.CompositionExecution,
        signal: Signal,
        gone: type[errors.FuncflowError] | None = None,
    ) -> None:
        """Put a signal into its inbox, and have its holder look there."""
        text = self._texts.out(json.dumps(signals.dump(signal), ensure_ascii=False))
        told = self._database.write(executions.Deliver(execution.id, (text,), time.time()))
        if told is None:
            if gone is not None:
                raise gone(f"execution {execution.id} has ended")
            raise errors.Conflict(
                f"execution {execution.id} is {self._get(execution.id).state}",
                code="already_settled",
                hint="Only an execution that has not ended can be told anything.",
            )
        self._handover.nudge(execution.id, told.owner)

    def _see(
        self, execution_id: str, effect: Callable[[models.CompositionExecution], bool]
    ) -> models.CompositionExecution:
        """The execution once the effect shows, or after a while without."""
        give_up = time.monotonic() + EFFECT
        while True:
            now = self._get(execution_id)
            over = now.state not in states.COMPOSITION_OPEN or time.monotonic() > give_up
            if over or effect(now) or self._stopping.wait(LOOK):
                return now

    def _get(self, execution_id: str) -> models.CompositionExecution:
        with self._database.read() as connection:
            return executions.get(connection, execution_id)


def _ticket(execution: models.CompositionExecution) -> board_base.Ticket:
    return board_base.Ticket(
        execution.id, execution.project_id, execution.composition_id, "composition"
    )
