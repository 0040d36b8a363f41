"""What the end of a function means to the task that asked for it.

Used by the conductor for runs here and executions elsewhere, by the API for trials of states, and
by the local driver of the command line. Names are those that AWS gives, so that catchers of
exported definitions fit.
"""

from __future__ import annotations

import json
from typing import Final

from funcflow import models
from funcflow.compositions import signals
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


def answer(now: float, number: int, execution: models.Execution | None, *, token: bool) -> Signal:
    """The answer of a settled or dead execution; None: its row is gone.

    :param token: the task waits for its token; that the function returned only submits it
    """
    if execution is None:
        return signals.TaskFailed(
            time=now, id=number, error="Funcflow.Gone", cause="Its execution was removed"
        )
    if execution.state is State.SUCCEEDED:
        value = json.loads(execution.output or "null")
        kind = signals.TaskSubmitted if token else signals.TaskSucceeded
        return kind(time=now, id=number, output=value)
    if execution.error is not None and execution.state is State.FAILED:
        return failed(now, number, execution.error)
    error, cause = _ENDS.get(execution.state, ("States.TaskFailed", str(execution.reason)))
    return signals.TaskFailed(time=now, id=number, error=error, cause=cause)


def failed(now: float, number: int, error: models.FunctionError) -> Signal:
    """The function raised, or hit a limit; the cause is JSON text as AWS's functions say it."""
    told = {
        "errorMessage": error.message,
        "errorType": error.type,
        "stackTrace": list(error.trace),
    }
    return signals.TaskFailed(
        time=now,
        id=number,
        error=_NAMES.get(error.type, error.type),
        cause=json.dumps(told, ensure_ascii=False),
    )
