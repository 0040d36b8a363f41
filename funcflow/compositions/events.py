"""The history of an execution: AWS's event types, as :func:`advance` emits them.

An event says what happened, for people and for the API; the interpreter never reads one
back. ``wire()`` gives AWS's shape. Payloads are JSON values, shared and never changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar, Final

#: Events in the history of a STANDARD execution; the last one allowed is ExecutionFailed.
HISTORY_LIMIT: Final = 25_000


class Type(StrEnum):
    """Every type of event there is."""

    ActivityFailed = "ActivityFailed"
    ActivityScheduled = "ActivityScheduled"
    ActivityScheduleFailed = "ActivityScheduleFailed"
    ActivityStarted = "ActivityStarted"
    ActivitySucceeded = "ActivitySucceeded"
    ActivityTimedOut = "ActivityTimedOut"
    ChoiceStateEntered = "ChoiceStateEntered"
    ChoiceStateExited = "ChoiceStateExited"
    EvaluationFailed = "EvaluationFailed"
    ExecutionAborted = "ExecutionAborted"
    ExecutionFailed = "ExecutionFailed"
    ExecutionRedriven = "ExecutionRedriven"
    ExecutionStarted = "ExecutionStarted"
    ExecutionSucceeded = "ExecutionSucceeded"
    ExecutionTimedOut = "ExecutionTimedOut"
    FailStateEntered = "FailStateEntered"
    LambdaFunctionFailed = "LambdaFunctionFailed"
    LambdaFunctionScheduled = "LambdaFunctionScheduled"
    LambdaFunctionScheduleFailed = "LambdaFunctionScheduleFailed"
    LambdaFunctionStarted = "LambdaFunctionStarted"
    LambdaFunctionStartFailed = "LambdaFunctionStartFailed"
    LambdaFunctionSucceeded = "LambdaFunctionSucceeded"
    LambdaFunctionTimedOut = "LambdaFunctionTimedOut"
    MapIterationAborted = "MapIterationAborted"
    MapIterationFailed = "MapIterationFailed"
    MapIterationStarted = "MapIterationStarted"
    MapIterationSucceeded = "MapIterationSucceeded"
    MapRunAborted = "MapRunAborted"
    MapRunFailed = "MapRunFailed"
    MapRunRedriven = "MapRunRedriven"
    MapRunStarted = "MapRunStarted"
    MapRunSucceeded = "MapRunSucceeded"
    MapStateAborted = "MapStateAborted"
    MapStateEntered = "MapStateEntered"
    MapStateExited = "MapStateExited"
    MapStateFailed = "MapStateFailed"
    MapStateStarted = "MapStateStarted"
    MapStateSucceeded = "MapStateSucceeded"
    ParallelStateAborted = "ParallelStateAborted"
    ParallelStateEntered = "ParallelStateEntered"
    ParallelStateExited = "ParallelStateExited"
    ParallelStateFailed = "ParallelStateFailed"
    ParallelStateStarted = "ParallelStateStarted"
    ParallelStateSucceeded = "ParallelStateSucceeded"
    PassStateEntered = "PassStateEntered"
    PassStateExited = "PassStateExited"
    SucceedStateEntered = "SucceedStateEntered"
    SucceedStateExited = "SucceedStateExited"
    TaskFailed = "TaskFailed"
    TaskScheduled = "TaskScheduled"
    TaskStarted = "TaskStarted"
    TaskStartFailed = "TaskStartFailed"
    TaskStateAborted = "TaskStateAborted"
    TaskStateEntered = "TaskStateEntered"
    TaskStateExited = "TaskStateExited"
    TaskSubmitFailed = "TaskSubmitFailed"
    TaskSubmitted = "TaskSubmitted"
    TaskSucceeded = "TaskSucceeded"
    TaskTimedOut = "TaskTimedOut"
    WaitStateAborted = "WaitStateAborted"
    WaitStateEntered = "WaitStateEntered"
    WaitStateExited = "WaitStateExited"


def _wire_name(kind: Type) -> str:
    """``stateEnteredEventDetails`` for every …StateEntered, and so on."""
    for shared in ("StateEntered", "StateExited"):
        if kind.endswith(shared):
            kind_name = shared
            break
    else:
        kind_name = kind.value
    return f"{kind_name[0].lower()}{kind_name[1:]}EventDetails"


WIRE_NAMES: Final[Mapping[Type, str]] = {kind: _wire_name(kind) for kind in Type}


class Details:
    """Base of the details; ``payloads`` names the fields that hold JSON values."""

    __slots__ = ()
    payloads: ClassVar[tuple[str, ...]] = ()

    def wire(self) -> dict[str, Any]:
        """Set fields in camelCase, payloads as JSON text with their …Details."""
        answer: dict[str, Any] = {}
        for each in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            value = getattr(self, each.name)
            if each.name in self.payloads:
                answer[each.name] = text(value)
                if each.name != "parameters":
                    answer[f"{each.name}Details"] = {"truncated": False}
            elif value is not None:
                first, *rest = each.name.split("_")
                answer[first + "".join(word.title() for word in rest)] = value
        return answer


def text(value: Any) -> str:
    """A payload as compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Input(Details):
    """ExecutionStarted."""

    payloads = ("input",)
    input: Any
    role_arn: str | None = None


@dataclass(frozen=True, slots=True)
class Output(Details):
    """ExecutionSucceeded, LambdaFunctionSucceeded, ActivitySucceeded."""

    payloads = ("output",)
    output: Any


@dataclass(frozen=True, slots=True)
class Error(Details):
    """ExecutionFailed/Aborted/TimedOut, LambdaFunctionFailed/TimedOut, MapRunFailed, …"""

    error: str | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Entered(Details):
    """…StateEntered."""

    payloads = ("input",)
    name: str
    input: Any


@dataclass(frozen=True, slots=True)
class Exited(Details):
    """…StateExited; ``assigned`` are the variables the state set."""

    payloads = ("output",)
    name: str
    output: Any
    assigned: Mapping[str, Any] | None = None

    def wire(self) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "name": self.name,
            "output": text(self.output),
            "outputDetails": {"truncated": False},
        }
        if self.assigned:
            answer["assignedVariables"] = {n: text(v) for n, v in self.assigned.items()}
            answer["assignedVariablesDetails"] = {"truncated": False}
        return answer


@dataclass(frozen=True, slots=True)
class Evaluation(Details):
    """EvaluationFailed."""

    state: str
    error: str
    cause: str
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Scheduled(Details):
    """LambdaFunctionScheduled, ActivityScheduled; times in seconds."""

    payloads = ("input",)
    resource: str
    input: Any
    timeout_in_seconds: int | None = None
    heartbeat_in_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class TaskScheduled(Details):
    """TaskScheduled; times in seconds."""

    payloads = ("parameters",)
    resource_type: str
    resource: str
    parameters: Any
    region: str = ""
    timeout_in_seconds: int | None = None
    heartbeat_in_seconds: int | None = None
    task_credentials: Any = None


@dataclass(frozen=True, slots=True)
class Task(Details):
    """TaskStarted, TaskFailed, TaskTimedOut, …"""

    resource_type: str
    resource: str
    error: str | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class TaskOutput(Details):
    """TaskSubmitted, TaskSucceeded."""

    payloads = ("output",)
    resource_type: str
    resource: str
    output: Any


@dataclass(frozen=True, slots=True)
class Length(Details):
    """MapStateStarted: how many items there are (0 if they are still to be read)."""

    length: int


@dataclass(frozen=True, slots=True)
class Iteration(Details):
    """MapIterationStarted/Succeeded/Failed/Aborted."""

    name: str
    index: int


@dataclass(frozen=True, slots=True)
class MapRun(Details):
    """MapRunStarted, MapRunRedriven."""

    map_run_arn: str
    redrive_count: int | None = None


@dataclass(frozen=True, slots=True)
class Redriven(Details):
    """ExecutionRedriven."""

    redrive_count: int


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a history; ``time`` in seconds since the epoch."""

    #: From 1, without gaps.
    id: int
    #: The event this one follows from; 0 for the first two.
    previous: int
    time: float
    type: Type
    details: Details | None = None

    def wire(self) -> dict[str, Any]:
        """The event as GetExecutionHistory shows it."""
        answer: dict[str, Any] = {
            "id": self.id,
            "previousEventId": self.previous,
            "timestamp": timestamp(self.time),
            "type": self.type.value,
        }
        if self.details is not None:
            answer[WIRE_NAMES[self.type]] = self.details.wire()
        return answer


def timestamp(seconds: float) -> str:
    """``2026-11-20T09:00:00.000Z``."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
