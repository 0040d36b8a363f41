"""Tasks that touch function definitions."""

from __future__ import annotations

from taskflow import task

from taskflow_flows import invocation as inv


class LoadFunction(task.Task):  # type: ignore[misc]
    """Find the revision that was pinned when the execution was accepted."""

    default_provides = "definition"

    def execute(self, invocation: inv.Invocation) -> inv.Definition:
        execution = invocation.execution
        return invocation.catalog.definition(execution.function_id, execution.revision)
