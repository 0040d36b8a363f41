"""Tasks that touch outcomes."""

from __future__ import annotations

from taskflow import task

from funcflow import models
from funcflow.sandboxes import base as sandbox_base
from taskflow_flows import invocation as inv


class SettleExecution(task.Task):  # type: ignore[misc]
    """Write the outcome, fenced by the claim's epoch. The job is consumed after this."""

    default_provides = "settled"

    def execute(
        self, invocation: inv.Invocation, outcome: sandbox_base.Outcome
    ) -> models.Execution:
        return invocation.ledger.settle(invocation, outcome)
