"""The one way in: from a request or an event to an execution.

Called by the API and by every trigger. Resolves what is to be run, makes it durable,
and hands a synchronous call to a conductor or posts a job for an asynchronous one.
"""

from __future__ import annotations

import dataclasses
import threading
import time

from oslo_config import cfg

from funcflow import (
    callbacks,
    control,
    delegations,
    errors,
    handover,
    identities,
    ids,
    models,
    queues,
    states,
    targets,
)
from funcflow.db import executions, rates
from funcflow.db.engine import Database
from funcflow.jobboards import base as board_base
from funcflow.quotas import base as quotas

#: Seconds between looks at a row whose conductor does not answer (any more).
LOOK = 0.1
#: Seconds a conductor may take to write the row of a call it was handed.
DURABLE = 5.0
#: Seconds an idea of what a name means is kept without an announcement.
TARGET_AGE = 5.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What to run. ``function_id`` (an id or a name) or ``function_alias`` is set, not both."""

    function_id: str | None = None
    function_alias: str | None = None
    function_version: int = models.LATEST
    #: JSON text, any other text, or None.
    input: str | None = None
    sync: bool = True
    description: str = ""
    idempotency_key: str | None = None
    #: Seconds a synchronous caller waits; None: the configured time.
    wait: float | None = None
    #: The caller lends an identity to a function of another project, if it asks for that.
    lend_identity: bool = False
    #: Who is to be told of the end of an asynchronous one.
    callback: callbacks.Wanted | None = None
    #: What a trigger, which calls, was lent for that.
    lent: delegations.Identity | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Submitted:
    """``execution`` as it is now; ``created`` False: the idempotency key was known.

    A synchronous call whose wait ended has a state that is not settled (202).
    """

    execution: models.Execution
    created: bool


class Submitter:
    """Accepts executions. One per process; any thread may call."""

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        database: Database,
        board: board_base.Board,
        handover: handover.Handover,
        control: control.Control,
    ) -> None:
        self._conf = conf
        self._database = database
        self._board = board
        self._handover = handover
        self._control = control
        self._targets = targets.Targets(database, TARGET_AGE)
        self._quotas = quotas.load(conf, database)
        self.identities = identities.Identities(conf, database)
        self._queues = queues.Queues(conf, database, "function")
        self._stopping = threading.Event()

    def submit(self, context: models.RequestContext, call: Call) -> Submitted:
        """Accept durably, and for a synchronous call wait for the outcome.

        :raises funcflow.errors.NotFound: no such function, version or alias in the project
        :raises funcflow.errors.TooMany: queues or conductors are full
        :raises funcflow.errors.Unavailable: it could not be made durable; nothing was kept
        :raises funcflow.errors.Conflict: the idempotency key came with another call
        :raises funcflow.errors.Forbidden: the caller does not lend what the function asks for
        """
        target = self._targets.resolve(
            context, call.function_id, call.function_version, call.function_alias
        )
        execution = self._make(context, call, target)
        if call.idempotency_key is not None:
            known = self._known(context, call)
            if known is not None:
                return self._again(execution, known, call)
        self._take_rate(execution.project_id)
        if target.identity is not None:
            lent = self.identities.of_call(
                context, target.identity, target.project_id, call.lend_identity, call.lent
            )
            execution = dataclasses.replace(execution, trust_id=lent)
        if call.sync:
            return self._run(execution, call)
        return self._post(execution, call)

    def check(
        self, context: models.RequestContext, function: str | None, version: int, alias: str | None
    ) -> str:
        """The id of the function that a call would run; errors as of :meth:`submit`."""
        return self.resolve(context, function, version, alias).function_id

    def resolve(
        self, context: models.RequestContext, function: str | None, version: int, alias: str | None
    ) -> targets.Target:
        """What a call would run; errors as of :meth:`submit`."""
        return self._targets.resolve(context, function, version, alias)

    def cancel(self, context: models.RequestContext, execution_id: str) -> models.Execution:
        """Settle as cancelled, then stop the run.

        :raises funcflow.errors.Conflict: it is settled already
        """
        before = self._get(context, execution_id)
        cancelled = self._database.write(executions.Cancel(execution_id, time.time()))
        if cancelled is None:
            raise errors.Conflict(
                f"execution {execution_id} is {self._get(context, execution_id).state}",
                code="already_settled",
                hint="Only a queued or running execution can be cancelled.",
            )
        if before.state is states.State.RUNNING:
            try:
                self._control.cancel(execution_id)
            except errors.Unavailable:
                pass  # The conductor's sweep sees the cancelled row.
        else:
            self._discard(cancelled)
        return cancelled

    def redrive(self, context: models.RequestContext, execution_id: str) -> models.Execution:
        """Queue a dead execution again, with fresh attempts and a fresh age.

        :raises funcflow.errors.Conflict: it is not dead
        :raises funcflow.errors.Forbidden: its function is no longer shared with the project
        """
        now = time.time()
        self._targets.check(context, self._get(context, execution_id))
        expires_at = now + self._conf.conductor.max_age
        if not self._database.write(executions.Redrive(execution_id, now, expires_at)):
            raise errors.Conflict(
                f"execution {execution_id} is not a dead letter",
                code="not_dead",
                hint="List the dead letters to see what can be redriven.",
            )
        return self._get(context, execution_id)

    def forget(self) -> None:
        """Functions, versions or aliases changed somewhere."""
        self._targets.forget()

    def stop(self) -> None:
        """Let nobody wait any longer."""
        self._stopping.set()

    # -- the two ways ---------------------------------------------------------------------

    def _run(self, execution: models.Execution, call: Call) -> Submitted:
        wait = self._conf.api.sync_wait if call.wait is None else call.wait
        deadline = time.monotonic() + wait
        after = self._handover.run(execution, wait)
        if after is not None and after.id != execution.id:
            return self._again(execution, after, call)
        if after is None or after.state not in states.SETTLED:
            after = self._await(execution.id, deadline)
        if execution.trust_id is not None and after.reason == "trust_invalid":
            self.identities.forget(execution.trust_id)
        return Submitted(after, True)

    def _post(self, execution: models.Execution, call: Call) -> Submitted:
        if not self._board.connected:
            raise errors.Unavailable("the jobboard cannot be reached", retry_after=2.0)
        self._queues.check(execution.project_id)
        room = self._board.depth(execution.shard) < self._conf.jobboard.window // 2
        inserted = self._database.write(executions.Insert(execution, room, call.callback))
        if not inserted.created:
            return self._again(execution, inserted.execution, call)
        if room:
            try:
                self._board.post([_ticket(execution)])
            except errors.Unavailable:
                # The job may be there or not; without its row it is only consumed.
                if self._database.write(executions.Remove(execution.id)):
                    raise
        return Submitted(inserted.execution, True)

    def _again(self, execution: models.Execution, known: models.Execution, call: Call) -> Submitted:
        """The idempotency key was used before: for this very call, or it is a mistake."""
        if (known.function_id, known.input) != (execution.function_id, execution.input):
            raise errors.Conflict(
                "the idempotency key was used for another call",
                code="idempotency_mismatch",
                hint="Use a fresh key for a different function or input.",
            )
        if call.sync and known.state not in states.SETTLED:
            wait = self._conf.api.sync_wait if call.wait is None else call.wait
            known = self._await(known.id, time.monotonic() + wait)
        return Submitted(known, False)

    def _await(self, execution_id: str, deadline: float) -> models.Execution:
        """The row, once settled or dead or when the wait ends."""
        patience = time.monotonic() + DURABLE
        while True:
            with self._database.read() as conn:
                execution = executions.find(conn, execution_id)
            if execution is not None and execution.state not in states.OPEN:
                return execution
            # Without a row there is nothing to answer with yet: its conductor may be about
            # to write it, or is gone.
            left = (deadline if execution is not None else patience) - time.monotonic()
            if left > 0 and not self._stopping.wait(min(LOOK, left)):
                continue
            if execution is None:
                raise errors.Unavailable("the call was lost before it was durable", retry_after=1.0)
            return execution

    # -- parts ----------------------------------------------------------------------------

    def _make(
        self, context: models.RequestContext, call: Call, target: targets.Target
    ) -> models.Execution:
        now = time.time()
        return models.Execution(
            id=ids.new(),
            project_id=context.project_id,
            function_id=target.function_id,
            function_version=target.version,
            function_alias=call.function_alias,
            revision=target.revision,
            shard=self._board.shard_of(target.function_id),
            description=call.description,
            sync=call.sync,
            input=call.input,
            expires_at=now + self._conf.conductor.max_age,
            idempotency_key=call.idempotency_key,
            request_id=context.request_id,
            traceparent=context.traceparent,
            user_id=context.user_id,
            created_at=now,
        )

    def _known(self, context: models.RequestContext, call: Call) -> models.Execution | None:
        with self._database.read() as conn:
            return executions.by_key(conn, context.project_id, call.idempotency_key or "")

    def _get(self, context: models.RequestContext, execution_id: str) -> models.Execution:
        project_id = None if context.is_admin else context.project_id
        with self._database.read() as conn:
            return executions.get(conn, execution_id, project_id)

    def _discard(self, execution: models.Execution) -> None:
        try:
            self._board.discard([_ticket(execution)])
        except errors.Unavailable:
            pass  # Whoever claims it finds the row settled and consumes it.

    def limits(self, project_id: str) -> quotas.Limits:
        """What the project may use, as it was said lately.

        :raises errors.Unavailable: nobody can say
        """
        return self._quotas.limits(project_id)

    def _take_rate(self, project_id: str) -> None:
        """
        :raises quotas.QuotaBusy: the project made as many calls in a minute as it may
        """
        limit = self._quotas.limits(project_id).invocations_per_minute
        if limit < 0:
            return
        wait = self._database.write(rates.Take(project_id, limit, time.time()))
        if wait > 0:
            raise quotas.QuotaBusy(
                f"the project made {limit} calls within a minute, as many as it may",
                retry_after=wait,
            )


def _ticket(execution: models.Execution) -> board_base.Ticket:
    return board_base.Ticket(execution.id, execution.project_id, execution.function_id)
