"""How outcomes become rows: the words of the contract, and the fenced write."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time

from funcflow import errors, models, states
from funcflow.db import executions
from funcflow.db.engine import Database
from funcflow.sandboxes import base as sandbox_base
from taskflow_flows import invocation as inv

LOG = logging.getLogger(__name__)
RETRY = 0.5


class Ledger:
    """See :class:`taskflow_flows.invocation.Ledger`."""

    def __init__(self, database: Database, stopping: threading.Event) -> None:
        self._database = database
        self._stopping = stopping
        self.fenced = 0

    def settle(self, invocation: inv.Invocation, outcome: sandbox_base.Outcome) -> models.Execution:
        execution = invocation.execution
        settled = settled_of(invocation, outcome)
        if outcome.error is not None and outcome.error.type == "Cancelled":
            raise inv.Fenced(execution.id)  # The row was settled by whoever cancelled.
        if not self.write(settled, invocation.logs.rest()):
            self.fenced += 1
            LOG.warning(
                "execution %s: outcome of epoch %d refused, a newer claim or a cancel was first",
                execution.id,
                execution.epoch,
            )
            raise inv.Fenced(execution.id)
        return settled

    def append_logs(self, execution_id: str, chunks: tuple[models.LogChunk, ...]) -> None:
        """Output of a run that goes on."""
        self._database.write(executions.AppendLogs(execution_id, chunks))

    def write(
        self,
        settled: models.Execution,
        logs: tuple[models.LogChunk, ...] = (),
        reason: str | None = None,
    ) -> bool:
        """Write the outcome; False when the row is no longer ours. ``reason``: why the platform
        ended it.

        While the database is away the outcome is kept and tried again: the work is done,
        and doing it twice would be worse than being late.
        """
        op = executions.Settle(
            id=settled.id,
            epoch=settled.epoch,
            owner=settled.owner or "",
            state=settled.state,
            output=settled.output,
            error=settled.error,
            reason=reason,
            usage=settled.usage,
            logs=logs,
            now=settled.finished_at or time.time(),
        )
        while True:
            try:
                return self._database.write(op)
            except errors.Unavailable as exc:
                LOG.warning("execution %s: outcome is kept: %s", settled.id, exc)
                if self._stopping.wait(RETRY):
                    raise


def _shown(
    invocation: inv.Invocation, error: models.FunctionError | None
) -> models.FunctionError | None:
    """The error without lines of code, when the function is another project's: who may run it
    may not read it."""
    if error is None or not error.trace:
        return error
    execution = invocation.execution
    definition = invocation.catalog.definition(execution.function_id, execution.revision)
    if definition.revision.project_id == execution.project_id:
        return error
    return dataclasses.replace(error, trace=())


def settled_of(invocation: inv.Invocation, outcome: sandbox_base.Outcome) -> models.Execution:
    """The execution as it is after a run that ends now."""
    execution, lease = invocation.execution, invocation.lease
    now = time.time()
    usage = dataclasses.replace(
        execution.usage,
        queue=max(0.0, (execution.started_at or now) - execution.created_at),
        run=outcome.run,
        cpu=outcome.cpu,
        memory_peak=outcome.memory_peak,
        startup=lease.startup if lease else 0.0,
        worker=lease.worker.id if lease else None,
        cold=bool(lease and lease.cold),
    )
    return dataclasses.replace(
        execution,
        state=state_of(outcome),
        output=outcome.value,
        error=_shown(invocation, outcome.error),
        usage=usage,
        finished_at=now,
        updated_at=now,
    )


def state_of(outcome: sandbox_base.Outcome) -> states.State:
    return states.State.SUCCEEDED if outcome.error is None else states.State.FAILED
