"""Task: ask for work, take the answer."""

from __future__ import annotations

from typing import Any

from funcflow.compositions import events, failures, settings, work
from funcflow.compositions.commands import RunTask
from funcflow.compositions.definition import Task
from funcflow.compositions.events import Details, Type
from funcflow.compositions.execution import Frame
from funcflow.compositions.failures import Failure
from funcflow.compositions.resources import Kind, Pattern, Resource
from funcflow.compositions.signals import TaskFailed, TaskSubmitted, TaskSucceeded, TaskTimedOut
from funcflow.compositions.step import Step

#: How the events of a kind of resource begin.
_PREFIXES = {Kind.FUNCTION: "LambdaFunction", Kind.ACTIVITY: "Activity"}


class TaskFailure(Failure):
    """The work failed, which is no fault of the state's own fields."""

    def __init__(self, error: str | None, cause: str | None, also: str | None = None) -> None:
        super().__init__(error or "", cause or "")
        self.given_error = error
        self.given_cause = cause
        #: Another name by which retriers and catchers may know the error.
        self.also = also


def run_task(step: Step, frame: Frame) -> None:
    state = frame.state
    assert isinstance(state, Task)
    resource = state.resource
    waits = resource.pattern is not Pattern.REQUEST or resource.kind is Kind.ACTIVITY
    frame.token = _token(step) if waits else None
    effective = step.effective_input(frame)
    scope = step.scope(frame, effective)
    arguments = step.arguments(frame, effective)
    timeout = _positive(settings.count(state.timeout, scope), "TimeoutSeconds")
    heartbeat = _positive(settings.count(state.heartbeat, scope), "HeartbeatSeconds")
    credentials = None if state.credentials is None else state.credentials.evaluate(scope)
    if arguments is not frame.input:
        step.check(arguments, state.name)
    wanted = work.read(resource, arguments)

    prefix, kind, name = _names(resource)
    scheduled: Details
    if prefix == "Task":
        scheduled = events.TaskScheduled(kind, name, arguments, "", timeout, heartbeat, credentials)
    else:
        scheduled = events.Scheduled(resource.text, arguments, timeout, heartbeat)
    step.tell(frame, Type[f"{prefix}Scheduled"], scheduled)
    if prefix == "Task":
        step.tell(frame, Type.TaskStarted, events.Task(kind, name))
    elif prefix == "LambdaFunction":
        step.tell(frame, Type.LambdaFunctionStarted)
    step.request(
        frame,
        lambda number: RunTask(
            number,
            state.name,
            resource,
            wanted,
            timeout,
            heartbeat,
            frame.token,
            frame.attempt,
            step.now,
        ),
    )


def _token(step: Step) -> str:
    """Hard to guess; of an execution with a key it tells also what it answers."""
    secret = f"{step.hooks.uuid()}{step.hooks.uuid()}"
    execution = step.execution
    if not execution.key:
        return secret
    return f"{execution.key}.{execution.last_command + 1}.{secret}"


def submitted(step: Step, frame: Frame, request: RunTask, signal: TaskSubmitted) -> None:
    prefix, kind, name = _names(request.resource)
    if prefix == "Activity":
        step.tell(frame, Type.ActivityStarted)
    elif prefix == "Task":
        output = work.result(request.resource, request.work, signal.output)
        step.tell(frame, Type.TaskSubmitted, events.TaskOutput(kind, name, output))


def succeeded(step: Step, frame: Frame, request: RunTask, signal: TaskSucceeded) -> None:
    resource = request.resource
    output = result_of(request, signal.output)
    prefix, kind, name = _names(resource)
    try:
        step.check(output, kind if prefix == "Task" else resource.text)
    except Failure as failure:
        _failed(step, frame, resource, failure.error, failure.cause)
    details = events.TaskOutput(kind, name, output) if prefix == "Task" else events.Output(output)
    step.tell(frame, Type[f"{prefix}Succeeded"], details)
    step.finish(frame, output)


def result_of(request: RunTask, answer: Any) -> Any:
    """The raw result: wrapped as the resource does, unless somebody else sent it."""
    if request.resource.pattern is Pattern.REQUEST:
        return work.result(request.resource, request.work, answer)
    return answer


def failed(step: Step, frame: Frame, request: RunTask, signal: TaskFailed) -> None:
    ending = "Failed"
    if signal.refused and request.resource.pattern is not Pattern.REQUEST:
        ending = "SubmitFailed"
    _failed(step, frame, request.resource, signal.error, signal.cause, ending)


def timed_out(step: Step, frame: Frame, request: RunTask, signal: TaskTimedOut) -> None:
    # AWS calls both States.Timeout, and lets a catcher tell the heartbeat's by its name.
    also = failures.HEARTBEAT_TIMEOUT if signal.heartbeat else None
    _failed(step, frame, request.resource, failures.TIMEOUT, signal.cause, "TimedOut", also)


def _failed(
    step: Step,
    frame: Frame,
    resource: Resource,
    error: str | None,
    cause: str | None,
    ending: str = "Failed",
    also: str | None = None,
) -> None:
    prefix, kind, name = _names(resource)
    details: Details = (
        events.Task(kind, name, error, cause) if prefix == "Task" else events.Error(error, cause)
    )
    step.tell(frame, Type[f"{prefix}{ending}"], details)
    raise TaskFailure(error, cause, also)


def _names(resource: Resource) -> tuple[str, str, str]:
    """How its events begin, resourceType and resource: ("Task", "lambda", "invoke")."""
    prefix = _PREFIXES.get(resource.kind, "Task")
    action = resource.text.removeprefix("funcflow:").split(":::")[-1]
    head, _, tail = action.rpartition(":") if not action.endswith(":2") else _sync2(action)
    return prefix, head or "funcflow", tail


def _sync2(action: str) -> tuple[str, str, str]:
    head, _, tail = action.removesuffix(":2").rpartition(":")
    return head, ":", f"{tail}:2"


def _positive(value: Any, field: str) -> int | None:
    if value is None or value > 0:
        return None if value is None else int(value)
    raise Failure(failures.RUNTIME, f"{field} must be positive: {value}")
