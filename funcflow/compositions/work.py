"""The work a Task asks for, read out of its resource and its effective arguments.

``read`` is called when the task is entered; ``result`` turns what came back into the
state's raw result. The shapes of a nested execution's answers are here as well, for
whoever runs compositions to give.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from funcflow.compositions import failures
from funcflow.compositions.events import text
from funcflow.compositions.failures import Failure
from funcflow.compositions.resources import Kind, Pattern, Resource

#: Characters of an inner execution's cause that an outer one repeats.
CAUSE: Final = 8192

_FUNCTION = re.compile(
    r"(?:arn:[a-z-]+:lambda:[a-z0-9-]*:\d*:function:|\d{12}:(?:function:)?)?"
    r"(?P<name>[A-Za-z0-9_.-]{1,255})(?::(?P<qualifier>\$LATEST|[A-Za-z0-9_-]{1,128}))?"
)


@dataclass(frozen=True, slots=True)
class CallFunction:
    name: str
    #: Version or alias; None: the newest.
    qualifier: str | None
    payload: Any
    #: ``InvocationType`` Event: started and not waited for.
    detached: bool = False


@dataclass(frozen=True, slots=True)
class StartComposition:
    #: Name, id or ARN, with or without version or alias.
    target: str
    input: Any
    #: None: one is made up.
    name: str | None
    wait: Pattern


@dataclass(frozen=True, slots=True)
class CallHttp:
    """Arguments as AWS's http:invoke has them: ApiEndpoint, Method, Headers, …"""

    endpoint: str
    method: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AskHuman:
    arguments: Any


@dataclass(frozen=True, slots=True)
class Poll:
    """An activity's worker elsewhere fetches it."""

    activity: str
    input: Any


@dataclass(frozen=True, slots=True)
class RunWorkflow:
    """A workflow of Mistral, by name or id."""

    workflow: str
    input: dict[str, Any]
    namespace: str = ""
    #: What ``env()`` is in its expressions.
    env: dict[str, Any] = field(default_factory=dict)
    description: str = ""


@dataclass(frozen=True, slots=True)
class CallService:
    """A service funcflow does not have; who runs the task fails it."""

    action: str
    arguments: Any


Work = CallFunction | StartComposition | CallHttp | AskHuman | Poll | RunWorkflow | CallService


def read(resource: Resource, arguments: Any) -> Work:
    """What is to be done; ``States.Runtime`` if the arguments do not say."""
    match resource.kind:
        case Kind.FUNCTION:
            return CallFunction(resource.name, resource.qualifier, arguments)
        case Kind.INVOKE:
            return _function(_object(resource, arguments))
        case Kind.COMPOSITION:
            given = _object(resource, arguments)
            target = _required(resource, given, "StateMachineArn", "Composition")
            name = given.get("Name")
            return StartComposition(
                target, _decoded(given.get("Input")), name and str(name), resource.pattern
            )
        case Kind.HTTP:
            given = _object(resource, arguments)
            endpoint = _required(resource, given, "ApiEndpoint", "Url")
            return CallHttp(endpoint, str(given.get("Method", "GET")), given)
        case Kind.APPROVAL:
            return AskHuman(arguments)
        case Kind.ACTIVITY:
            return Poll(resource.name, arguments)
        case Kind.WORKFLOW:
            return _workflow(resource, arguments)
        case Kind.SERVICE:
            return CallService(resource.name, arguments)


def said(state: Mapping[str, Any], resource: Resource, asked: Work) -> bool:
    """Whether the definition itself says what a task calls, rather than computes it.

    :param state: the Task as written
    """
    try:
        meant = read(resource, written(state))
    except Failure:
        return False
    match asked, meant:
        case CallFunction(), CallFunction():
            return (asked.name, asked.qualifier) == (meant.name, meant.qualifier)
        case StartComposition(), StartComposition():
            return asked.target == meant.target
    return type(asked) is type(meant)


def written(fields: Any) -> Any:
    """The arguments of a state, or of a reader or writer, as they are written."""
    if not isinstance(fields, dict):
        return None
    return fields.get("Arguments", fields.get("Parameters"))


def result(resource: Resource, work: Work, answer: Any) -> Any:
    """The raw result of a task whose work answered ``answer``."""
    if resource.kind is Kind.INVOKE and isinstance(work, CallFunction):
        return {
            "ExecutedVersion": work.qualifier or "$LATEST",
            "Payload": answer,
            "StatusCode": 202 if work.detached else 200,
        }
    return answer


def started(execution: str, start_date: str) -> dict[str, Any]:
    """What startExecution answers; dates as RFC 3339 text."""
    return {"ExecutionArn": execution, "StartDate": start_date}


def ended(
    execution: str,
    machine: str,
    name: str,
    status: str,
    start_date: str,
    stop_date: str,
    *,
    wait: Pattern,
    input: Any,
    output: Any = None,
    error: str | None = None,
    cause: str | None = None,
) -> dict[str, Any]:
    """What .sync and .sync:2 answer about an execution that ended."""

    def payload(value: Any) -> Any:
        return value if wait is Pattern.SYNC2 else text(value)

    answer = {
        "ExecutionArn": execution,
        "Input": payload(input),
        "InputDetails": {"Included": True},
        "Name": name,
        "StartDate": start_date,
        "StateMachineArn": machine,
        "Status": status,
        "StopDate": stop_date,
    }
    if status == "SUCCEEDED":
        answer |= {"Output": payload(output), "OutputDetails": {"Included": True}}
    else:
        # It becomes the cause of another execution's failure, and so on: quoted anew each
        # time, it would double.
        told = (("Error", error), ("Cause", cause and cause[:CAUSE]))
        answer |= {name: value for name, value in told if value is not None}
    return answer


#: Names of failures that AWS's service has.
NO_COMPOSITION: Final = "StepFunctions.StateMachineDoesNotExistException"
EXISTS: Final = "StepFunctions.ExecutionAlreadyExistsException"
LIMIT: Final = "StepFunctions.ExecutionLimitExceededException"
BAD_NAME: Final = "StepFunctions.InvalidNameException"

#: How a Resource begins that is a workflow.
WORKFLOW: Final = "mistral:workflow"
#: How a task fails whose workflow does. Names are stable: retriers and catchers have them.
WORKFLOW_FAILED: Final = "Mistral.WorkflowFailed"
WORKFLOW_CANCELLED: Final = "Mistral.WorkflowCancelled"
WORKFLOW_NOT_FOUND: Final = "Mistral.WorkflowNotFound"
WORKFLOW_GONE: Final = "Mistral.WorkflowGone"
WORKFLOW_REFUSED: Final = "Mistral.BadRequest"
NOT_ALLOWED: Final = "Mistral.Forbidden"
NO_MISTRAL: Final = "Mistral.Unavailable"

_COMPOSITION = re.compile(
    r"(?:arn:aws[a-z-]*:states:[^:]*:[^:]*:stateMachine:)?"
    r"(?P<name>[^:]+)(?::(?:(?P<version>[0-9]{1,9})|(?P<alias>[^:]+)))?"
)


def composition(target: str) -> tuple[str, int | None, str | None]:
    """Name or id, version and alias that a target means; States Language's ARNs are read.

    Raises Failure if it means nothing.
    """
    match = _COMPOSITION.fullmatch(target)
    if match is None:
        raise no_composition(target)
    version = match["version"]
    return match["name"], None if version is None else int(version), match["alias"]


def no_composition(target: str) -> Failure:
    return Failure(NO_COMPOSITION, f"State Machine Does Not Exist: '{target}'")


#: How an approval fails that somebody said no to; the cause is what they said.
REJECTED: Final = "Approval.Rejected"


def approved(decided_at: str, comment: str = "", by: str | None = None) -> dict[str, Any]:
    """What an approval gives that somebody said yes to."""
    said = {"Comment": comment or None, "DecidedBy": by}
    return {
        "Approved": True,
        "DecidedAt": decided_at,
        **{name: value for name, value in said.items() if value is not None},
    }


def _function(given: dict[str, Any]) -> CallFunction:
    named = given.get("FunctionName")
    match = _FUNCTION.fullmatch(named) if isinstance(named, str) else None
    if match is None:
        raise Failure(failures.RUNTIME, f"FunctionName names no function: {text(named)}")
    qualifier = given.get("Qualifier") or match["qualifier"]
    return CallFunction(
        match["name"],
        None if qualifier is None else str(qualifier),
        _decoded(given.get("Payload")),
        detached=given.get("InvocationType") == "Event",
    )


def _workflow(resource: Resource, arguments: Any) -> RunWorkflow:
    given = {} if arguments is None else _object(resource, arguments)
    if resource.name:
        return RunWorkflow(resource.name, given)
    name = _required(resource, given, "Workflow")
    input, env = _decoded(given.get("Input")), given.get("Env") or {}
    if not (isinstance(input, dict) and isinstance(env, dict)):
        raise Failure(failures.RUNTIME, f"Input and Env of {resource.text} must be objects")
    namespace, description = given.get("Namespace") or "", given.get("Description") or ""
    return RunWorkflow(name, input, str(namespace), env, str(description))


def _decoded(payload: Any) -> Any:
    """Payload and Input may be JSON text; nothing is the empty object."""
    if payload is None:
        return {}
    if isinstance(payload, str):
        try:
            return json.loads(payload)
        except ValueError:
            return payload
    return payload


def _object(resource: Resource, arguments: Any) -> dict[str, Any]:
    if isinstance(arguments, dict):
        return arguments
    raise Failure(failures.RUNTIME, f"The arguments of {resource.text} must be an object")


def _required(resource: Resource, given: dict[str, Any], *names: str) -> str:
    for name in names:
        if isinstance(value := given.get(name), str) and value:
            return value
    raise Failure(failures.RUNTIME, f"The arguments of {resource.text} lack {names[0]}")
