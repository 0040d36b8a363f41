"""What a Task's ``Resource`` text asks for.

Called by the validator (is it one?) and by :mod:`funcflow.compositions.compile`. Names from
AWS are read as such, so an exported definition runs unchanged; funcflow's own are shorter::

    resize                              function by name or id, newest version
    resize:3, resize:stable             version or alias
    arn:aws:lambda:R:A:function:NAME[:QUALIFIER]
    arn:aws:states:::lambda:invoke[.waitForTaskToken]
    arn:aws:states:::states:startExecution[.sync|.sync:2|.waitForTaskToken]
    arn:aws:states:::http:invoke
    arn:aws:states:R:A:activity:NAME
    funcflow:function[.waitForTaskToken], funcflow:composition[.sync|.sync:2],
    funcflow:http, funcflow:approval
    mistral:workflow:NAME, mistral:workflow
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Who does the work of a Task."""

    #: The function is named by the Resource itself; the input is its payload.
    FUNCTION = "function"
    #: The arguments say {FunctionName, Payload, ...}; the result wraps the payload.
    INVOKE = "invoke"
    #: Another composition: {StateMachineArn, Input, Name}.
    COMPOSITION = "composition"
    #: An HTTP call: {ApiEndpoint, Method, Headers, ...}.
    HTTP = "http"
    #: A human says yes or no; always waits for its token.
    APPROVAL = "approval"
    #: A worker elsewhere polls for it.
    ACTIVITY = "activity"
    #: A workflow of Mistral, waited for: named by the Resource, its input the arguments; or the
    #: arguments say {Workflow, Input, ...}.
    WORKFLOW = "workflow"
    #: Well-formed, but of a service funcflow does not have (sqs, dynamodb, ...).
    SERVICE = "service"


class Pattern(StrEnum):
    """When a Task is done."""

    #: When the work answers.
    REQUEST = "request"
    #: When somebody sends the task's token back.
    TOKEN = "token"  # noqa: S105 (not a secret)
    #: When the started execution ends; its output is a text.
    SYNC = "sync"
    #: When the started execution ends; its output is JSON.
    SYNC2 = "sync2"


_SUFFIXES = {
    "": Pattern.REQUEST,
    ".waitForTaskToken": Pattern.TOKEN,
    ".sync": Pattern.SYNC,
    ".sync:2": Pattern.SYNC2,
}

_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}"
_PLAIN = re.compile(rf"(?P<name>{_NAME})(?::(?P<qualifier>\$LATEST|[A-Za-z0-9_-]{{1,128}}))?")
_LAMBDA = re.compile(
    r"arn:aws[a-z-]*:lambda:[A-Za-z0-9_-]*:[A-Za-z0-9_-]*:function:"
    r"(?P<name>[A-Za-z0-9_.-]{1,255})(?::(?P<qualifier>\$LATEST|[A-Za-z0-9_-]{1,128}))?"
)
_ACTIVITY = re.compile(
    r"arn:aws[a-z-]*:states:[A-Za-z0-9_-]*:[A-Za-z0-9_-]*:activity:(?P<name>[^\s:?*<>{}\[\]]{1,80})"
)
_OPTIMISED = re.compile(
    r"arn:aws[a-z-]*:states:[A-Za-z0-9_-]*:[A-Za-z0-9_-]*:(?P<action>[A-Za-z0-9_-]+(?::[A-Za-z0-9_-]+){1,2})"
    r"(?P<suffix>\.[A-Za-z:0-9]+)?"
)
#: Mistral's names may have dots (workbook.workflow), so nothing can be appended to them.
_WORKFLOW = re.compile(r"mistral:workflow(?::(?P<name>[^\s\x00-\x1f\x7f]{1,255}))?")
_OWN = re.compile(r"funcflow:(?P<action>[a-z]+)(?P<suffix>\.[A-Za-z:0-9]+)?")

_ACTIONS = {
    "lambda:invoke": (Kind.INVOKE, {Pattern.REQUEST, Pattern.TOKEN}),
    "states:startExecution": (Kind.COMPOSITION, set(Pattern)),
    "http:invoke": (Kind.HTTP, {Pattern.REQUEST}),
}
_OWN_ACTIONS = {
    "function": _ACTIONS["lambda:invoke"],
    "composition": _ACTIONS["states:startExecution"],
    "http": _ACTIONS["http:invoke"],
    "approval": (Kind.APPROVAL, {Pattern.REQUEST, Pattern.TOKEN}),
}


@dataclass(frozen=True, slots=True)
class Resource:
    """A parsed ``Resource``; ``text`` is as written."""

    text: str
    kind: Kind
    pattern: Pattern = Pattern.REQUEST
    #: FUNCTION, WORKFLOW: name or id, "" if the arguments say it; ACTIVITY: its name;
    #: SERVICE: "sqs:sendMessage".
    name: str = ""
    #: FUNCTION: version or alias, None for the newest.
    qualifier: str | None = None


class BadResource(ValueError):
    """The text is no Resource; the message says why."""


def parse_resource(text: str) -> Resource:
    """Read a Resource; raises :class:`BadResource`."""
    if match := _LAMBDA.fullmatch(text):
        return Resource(text, Kind.FUNCTION, name=match["name"], qualifier=match["qualifier"])
    if match := _ACTIVITY.fullmatch(text):
        return Resource(text, Kind.ACTIVITY, name=match["name"])
    if match := _OPTIMISED.fullmatch(text):
        action = match["action"]
        pattern = _pattern(match["suffix"], text)
        if action not in _ACTIONS:
            return Resource(text, Kind.SERVICE, pattern, name=action)
        return _checked(text, *_ACTIONS[action], pattern)
    if match := _WORKFLOW.fullmatch(text):
        return Resource(text, Kind.WORKFLOW, Pattern.SYNC2, name=match["name"] or "")
    if match := _OWN.fullmatch(text):
        if match["action"] not in _OWN_ACTIONS:
            raise BadResource(f"funcflow has no action {match['action']!r}")
        kind, allowed = _OWN_ACTIONS[match["action"]]
        pattern = _pattern(match["suffix"], text)
        if kind is Kind.APPROVAL:
            pattern = Pattern.TOKEN if pattern is Pattern.REQUEST else pattern
        return _checked(text, kind, allowed, pattern)
    if text.startswith("mistral:"):
        raise BadResource(f"{text!r} is not mistral:workflow:NAME, nor mistral:workflow")
    if text.startswith(("arn:", "funcflow:")):
        raise BadResource(f"{text!r} is not the name of a function, an action or an activity")
    if match := _PLAIN.fullmatch(text):
        return Resource(text, Kind.FUNCTION, name=match["name"], qualifier=match["qualifier"])
    raise BadResource(f"{text!r} is not the name of a function")


def _pattern(suffix: str | None, text: str) -> Pattern:
    try:
        return _SUFFIXES[suffix or ""]
    except KeyError:
        raise BadResource(
            f"{text!r} ends in {suffix!r}, which is none of .sync, .sync:2, .waitForTaskToken"
        ) from None


def _checked(text: str, kind: Kind, allowed: set[Pattern], pattern: Pattern) -> Resource:
    if pattern not in allowed:
        raise BadResource(f"{text!r}: this action cannot wait in that way")
    return Resource(text, kind, pattern)


_DATA = re.compile(
    r"arn:aws[a-z-]*:states:[A-Za-z0-9_-]*:[A-Za-z0-9_-]*:(?:aws-sdk:)?s3:(?P<action>[A-Za-z0-9]+)"
    r"|funcflow:(?P<own>getObject|listObjects|putObject)"
)


def data_action(text: str) -> str:
    """The action of an ItemReader's or ResultWriter's Resource: "s3:getObject", ….

    Raises :class:`BadResource`; whether the action fits is the caller's question.
    """
    match = _DATA.fullmatch(text)
    if not match:
        raise BadResource(f"{text!r} is no access to an object store")
    if match["own"]:
        return "s3:listObjectsV2" if match["own"] == "listObjects" else f"s3:{match['own']}"
    return f"s3:{match['action']}"
