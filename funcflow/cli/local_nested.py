"""Compositions that start compositions, on this machine; used by the driver of ``run-local``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from funcflow import ids
from funcflow.compositions import failures, signals, work
from funcflow.compositions.commands import RunTask
from funcflow.compositions.definition import Definition
from funcflow.compositions.events import text, timestamp
from funcflow.compositions.execution import SUCCEEDED, Execution
from funcflow.compositions.failures import Failure
from funcflow.compositions.signals import Signal
from funcflow.compositions.work import StartComposition


@dataclass(slots=True, eq=False)
class About:
    """What is known of an execution besides its state."""

    composition: str = "local"
    name: str = "local"
    input: Any = None
    started_at: float = 0.0
    #: How many executions it is nested in.
    depth: int = 0
    #: Names that executions of compositions have, of all in this process.
    names: set[tuple[str, str]] = field(default_factory=set)

    @property
    def machine(self) -> str:
        return f"arn:aws:states:local:000000000000:stateMachine:{self.composition}"

    @property
    def id(self) -> str:
        return f"arn:aws:states:local:000000000000:execution:{self.composition}:{self.name}"

    def context(self) -> dict[str, Any]:
        """The outer part of the context object."""
        return {
            "Execution": {"Id": self.id, "Name": self.name, "RoleArn": "", "RedriveCount": 0},
            "StateMachine": {"Id": self.machine, "Name": self.composition},
        }

    def started(self) -> dict[str, Any]:
        """What startExecution answers."""
        return work.started(self.id, timestamp(self.started_at))

    def ended(self, now: float, task: RunTask, execution: Execution) -> Signal:
        """The answer of the task that waited for the end."""
        output = work.ended(
            self.id,
            self.machine,
            self.name,
            execution.status,
            timestamp(self.started_at),
            timestamp(now),
            wait=task.resource.pattern,
            input=self.input,
            output=execution.output,
            error=execution.error,
            cause=execution.cause,
        )
        if execution.status == SUCCEEDED:
            return signals.TaskSucceeded(time=now, id=task.id, output=output)
        return signals.TaskFailed(
            time=now, id=task.id, error=failures.TASK_FAILED, cause=text(output)
        )


def about(
    known: Mapping[str, Definition],
    asked: StartComposition,
    parent: About,
    now: float,
    most: int,
) -> About:
    """The execution to be started.

    :param known: compositions by name; a version or alias is taken for the composition itself
    :param most: executions that may be nested in each other
    :raises Failure: there is no such composition, or it may not be started so
    """
    name, _, _ = work.composition(asked.target)
    if name not in known:
        raise work.no_composition(asked.target)
    if parent.depth >= most:
        raise Failure(failures.RUNTIME, f"Executions may be nested {most} deep")
    made = About(name, asked.name or ids.new(), asked.input, now, parent.depth + 1, parent.names)
    if (made.composition, made.name) in parent.names:
        raise Failure(work.EXISTS, f"Execution Already Exists: '{made.id}'")
    parent.names.add((made.composition, made.name))
    return made
