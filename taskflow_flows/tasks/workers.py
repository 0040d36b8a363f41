"""Tasks that touch workers."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from taskflow import task

from funcflow import models
from funcflow.sandboxes import base as sandbox_base
from funcflow.secrets import masking
from taskflow_flows import invocation as inv

#: Workers to try when they end just before they are called.
TRIES = 3


class AcquireWorker(task.Task):  # type: ignore[misc]
    """Get a worker of exactly this revision; throw it away if what follows fails."""

    default_provides = "lease"

    def execute(self, invocation: inv.Invocation, definition: inv.Definition) -> inv.Lease:
        invocation.lease = _acquire(invocation, definition)
        return invocation.lease

    def revert(self, invocation: inv.Invocation, result: Any, **_: Any) -> None:
        if invocation.lease is not None:
            invocation.lease.discard()


class RunFunction(task.Task):  # type: ignore[misc]
    """Run the user's code, and give the worker back before anything is written."""

    default_provides = "outcome"

    def execute(
        self, invocation: inv.Invocation, definition: inv.Definition, lease: inv.Lease
    ) -> sandbox_base.Outcome:
        if invocation.cancelled.is_set():
            lease.give_back()
            return sandbox_base.Outcome(
                error=models.FunctionError(type="Cancelled", message="cancelled before it ran")
            )
        for left in reversed(range(TRIES)):
            invocation.began = True
            try:
                outcome = _invoke(invocation, definition, lease)
            except sandbox_base.SandboxError as exc:
                if exc.code != "worker_gone":
                    raise
                # It ended between being handed out and being called: nothing has run yet.
                invocation.began = False
                if not left:
                    raise
                lease.discard()
                lease = _acquire(invocation, definition)
                invocation.lease = lease
            else:
                break
        lease.give_back()
        return outcome


def _acquire(invocation: inv.Invocation, definition: inv.Definition) -> inv.Lease:
    caller = invocation.execution.project_id
    return invocation.pools.acquire(definition, invocation.limits.acquire, caller)


def _invoke(
    invocation: inv.Invocation, definition: inv.Definition, lease: inv.Lease
) -> sandbox_base.Outcome:
    """One run; what it was lent is not seen in what it prints and raises."""
    request = _request(invocation, definition, lease)
    hidden = [*lease.hidden]
    if request.delegation is not None:
        hidden.append(request.delegation.token)
    if not hidden:
        return lease.worker.invoke(request, invocation.logs.add)
    mask = masking.Mask(hidden, invocation.logs.add)
    try:
        outcome = lease.worker.invoke(request, mask.add)
    finally:
        mask.end()
    return dataclasses.replace(outcome, error=mask.error(outcome.error))


def _request(
    invocation: inv.Invocation, definition: inv.Definition, lease: inv.Lease
) -> sandbox_base.Request:
    execution = invocation.execution
    return sandbox_base.Request(
        execution_id=execution.id,
        input=decode_input(execution.input),
        function_name=definition.function_name,
        function_version=execution.function_version,
        request_id=execution.request_id,
        traceparent=execution.traceparent,
        timeout=definition.revision.limits.timeout,
        result_limit=invocation.limits.result,
        log_limit=invocation.limits.log,
        secrets=lease.secrets,
        delegation=invocation.delegation,
    )


def decode_input(text: str | None) -> Any:
    """JSON where it is JSON; any other text is one argument as it stands (as in Qinling)."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
