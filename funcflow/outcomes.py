"""What the end of a function means to the task that asked for it.

Used by the conductor for runs here and executions elsewhere, by the API for trials of states, and
by the local driver of the command line. Names are those that AWS gives, so that catchers of
exported definitions fit.
"""

from __future__ import annotations

import json
from typing import Final

from funcflow import models
from funcflow.compositions import failures, payloads, signals
from funcflow.compositions.commands import RunTask
from funcflow.compositions.resources import Kind, Pattern
from funcflow.compositions.signals import Signal
from funcflow.states import State

#: What AWS calls the endings a function has no say in.
_NAMES: Final = {"Timeout": "Sandbox.Timedout"}
#: Ends that are no outcome of the function.
_ENDS: Final = {
    State.CANCELLED: ("Funcflow.Cancelled", "The function's execution was cancelled"),
    State.LOST: ("Funcflow.Lost", "Its conductor ended during the run; at-most-once"),
    State.DEAD: ("Funcflow.DeadLetter", "The platform failed it too often"),
}


def unknown(now: float, number: int, message: str) -> Signal:
    """There is no such function: the task failed before it began."""
    return signals.TaskFailed(
        time=now, id=number, error="Lambda.ResourceNotFoundException", cause=message, refused=True
    )


def answer(now: float, task: RunTask, execution: models.Execution | None) -> Signal:
    """The answer of a settled or dead execution; None: its row is gone. To a task that waits
    for its token, that the function returned only means that it was submitted."""
    number = task.id
    if execution is None:
        return signals.TaskFailed(
            time=now, id=number, error="Funcflow.Gone", cause="Its execution was removed"
        )
    if execution.state is State.SUCCEEDED:
        value = json.loads(execution.output or "null")
        waits = task.resource.pattern is Pattern.TOKEN
        kind = signals.TaskSubmitted if waits else signals.TaskSucceeded
        return kind(time=now, id=number, output=value)
    if execution.error is not None and execution.state is State.FAILED:
        who = "lambda" if task.resource.kind is Kind.INVOKE else task.resource.text
        return failed(now, number, execution.error, execution.id, who)
    error, cause = _ENDS.get(execution.state, ("States.TaskFailed", str(execution.reason)))
    return signals.TaskFailed(time=now, id=number, error=error, cause=cause)


def failed(
    now: float, number: int, error: models.FunctionError, request_id: str, who: str
) -> Signal:
    """The function raised, or hit a limit; the cause is JSON text as AWS's functions say it.

    :param request_id: of the run that failed
    :param who: what the task's resource is called in the cause of a result that is too large
    """
    if error.type == "ResultTooLarge":
        return signals.TaskFailed(
            time=now, id=number, error=failures.DATA_LIMIT, cause=payloads.too_large(who)
        )
    told = {
        "errorMessage": error.message,
        "errorType": error.type,
        "requestId": request_id,
        "stackTrace": list(error.trace),
    }
    return signals.TaskFailed(
        time=now,
        id=number,
        error=_NAMES.get(error.type, error.type),
        cause=json.dumps(told, ensure_ascii=False),
    )
