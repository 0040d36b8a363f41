"""Is the mock of a Task's result one that the service could give? As AWS's TestState asks.

Called by :mod:`funcflow.compositions.trial`. Known are the answers of what funcflow runs, and of
a few services whose definitions people bring along; a mock of another one is taken as it is,
and so is every field that a service does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from funcflow.compositions.resources import Kind, Pattern, Resource

#: STRICT: what must be there is there, and all has the right form; PRESENT: what is there has it.
Mode = Literal["STRICT", "PRESENT", "NONE"]


@dataclass(frozen=True, slots=True)
class Text:
    least: int = 0
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Number:
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Flag:
    pass


@dataclass(frozen=True, slots=True)
class Anything:
    pass


@dataclass(frozen=True, slots=True)
class Array:
    of: Shape


@dataclass(frozen=True, slots=True)
class Object:
    fields: Mapping[str, Shape] = field(default_factory=dict)
    required: tuple[str, ...] = ()


Shape = Text | Number | Flag | Anything | Array | Object

#: Dates are texts in Step Functions.
_TEXT: Final = Text()
_STARTED = Object({"ExecutionArn": Text(1, 256), "StartDate": _TEXT}, ("ExecutionArn", "StartDate"))
_ENDED = Object(
    {
        "Cause": Text(0, 32768),
        "Error": Text(0, 256),
        "ExecutionArn": Text(1, 256),
        "InputDetails": Object({"Included": Flag()}),
        "MapRunArn": Text(1, 2000),
        "Name": Text(1, 80),
        "OutputDetails": Object({"Included": Flag()}),
        "RedriveCount": Number(0),
        "RedriveDate": _TEXT,
        "RedriveStatus": _TEXT,
        "RedriveStatusReason": _TEXT,
        "StartDate": _TEXT,
        "StateMachineAliasArn": Text(1, 256),
        "StateMachineArn": Text(1, 256),
        "StateMachineVersionArn": Text(1, 256),
        "Status": _TEXT,
        "StopDate": _TEXT,
        "TraceHeader": Text(0, 256),
    },
    ("ExecutionArn", "StateMachineArn", "Status", "StartDate"),
)
_INVOKED = Object(
    {
        "ExecutedVersion": Text(1, 1024),
        "FunctionError": _TEXT,
        "LogResult": _TEXT,
        "Payload": Anything(),
        "StatusCode": Number(),
    }
)
_CALLED = Object(
    {
        "Headers": Object(),
        "ResponseBody": Anything(),
        "StatusCode": Number(),
        "StatusText": _TEXT,
    }
)
_FUNCTION = Object(
    {
        "Code": Object(dict.fromkeys(("ImageUri", "Location", "RepositoryType"), _TEXT)),
        "Concurrency": Object({"ReservedConcurrentExecutions": Number(0)}),
        "Configuration": Object(
            dict.fromkeys(
                ("CodeSha256", "Description", "FunctionArn", "FunctionName", "Handler"), _TEXT
            )
            | dict.fromkeys(("LastModified", "PackageType", "Role", "Runtime", "State"), _TEXT)
            | {
                "CodeSize": Number(),
                "MemorySize": Number(128, 10240),
                "Timeout": Number(1),
                "Version": Text(1, 1024),
            }
        ),
        "Tags": Object(),
    }
)
_OBJECT = Object(
    dict.fromkeys(("AcceptRanges", "ContentType", "ContentRange", "ETag", "LastModified"), _TEXT)
    | dict.fromkeys(("CacheControl", "StorageClass", "VersionId", "Expiration"), _TEXT)
    | dict.fromkeys(("ContentLength", "MissingMeta", "PartsCount", "TagCount"), Number())
    | {"Body": Anything(), "DeleteMarker": Flag(), "Metadata": Object()}
)
_EVENT = Object(dict.fromkeys(("ErrorCode", "ErrorMessage", "EventId"), _TEXT))

#: By the action's name in a Resource.
_SERVICES: Final[Mapping[str, Object]] = {
    "events:putEvents": Object({"Entries": Array(_EVENT), "FailedEntryCount": Number()}),
    "kms:encrypt": Object(
        {"CiphertextBlob": Text(1, 6144), "EncryptionAlgorithm": _TEXT, "KeyId": Text(1, 2048)}
    ),
    "lambda:getFunction": _FUNCTION,
    "lambda:invoke": _INVOKED,
    "s3:getObject": _OBJECT,
    "sfn:startExecution": _STARTED,
    "sns:publish": Object({"MessageId": _TEXT, "SequenceNumber": _TEXT}),
    "sqs:sendMessage": Object(
        dict.fromkeys(("MD5OfMessageBody", "MessageId", "SequenceNumber"), _TEXT)
    ),
}


def problem(resource: Resource, result: Any, mode: Mode = "STRICT") -> str | None:
    """What is wrong with the mocked result, in AWS's words; None: nothing known."""
    shape = _answer(resource)
    if shape is None or mode == "NONE":
        return None
    said = _problem("result", shape, result, strict=mode == "STRICT")
    return None if said is None else f"Mock result schema validation error: {said}"


def _answer(resource: Resource) -> Object | None:
    """What the resource's work answers; None: anything, or not known."""
    if resource.pattern is Pattern.TOKEN:
        return None  # Whoever sends the token decides.
    match resource.kind:
        case Kind.INVOKE:
            return _INVOKED
        case Kind.COMPOSITION:
            return _STARTED if resource.pattern is Pattern.REQUEST else _ENDED
        case Kind.HTTP:
            return _CALLED
        case Kind.SERVICE:
            return _SERVICES.get(resource.name.removeprefix("aws-sdk:"))
    return None


def _problem(name: str, shape: Shape, value: Any, *, strict: bool) -> str | None:
    match shape:
        case Text():
            if not isinstance(value, str):
                return f"Field '{name}' must be a string"
            return _length(name, shape, len(value))
        case Number():
            if isinstance(value, bool) or not isinstance(value, int | float):
                return f"Field '{name}' must be a number"
            return _range(name, shape, value)
        case Flag() if not isinstance(value, bool):
            return f"Field '{name}' must be a boolean"
        case Array():
            if not isinstance(value, list):
                return f"Field '{name}' must be an array"
            said = (_problem(name, shape.of, each, strict=strict) for each in value)
            return next((each for each in said if each is not None), None)
        case Object():
            return _object(name, shape, value, strict=strict)
    return None


def _length(name: str, shape: Text, length: int) -> str | None:
    if length < shape.least:
        return f"Field '{name}' is smaller than the minimum length"
    if shape.most is not None and length > shape.most:
        return f"Field '{name}' exceeds the maximum length"
    return None


def _range(name: str, shape: Number, value: float) -> str | None:
    if shape.least is not None and value < shape.least:
        return f"Field '{name}' is less than the minimum value"
    if shape.most is not None and value > shape.most:
        return f"Field '{name}' exceeds the maximum value"
    return None


def _object(name: str, shape: Object, value: Any, *, strict: bool) -> str | None:
    if not isinstance(value, dict):
        return f"Field '{name}' must be an object"
    if strict:
        for required in shape.required:
            if required not in value:
                return f"Required field '{required}' is missing"
    present = (known for known in shape.fields if known in value)
    said = (_problem(each, shape.fields[each], value[each], strict=strict) for each in present)
    return next((each for each in said if each is not None), None)
