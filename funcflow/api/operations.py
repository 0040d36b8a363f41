"""What every route declares about itself, beside the code that answers it.

A controller class has an ``index`` from :func:`resource` and methods decorated with
:func:`operation`; pecan dispatches to them, :mod:`funcflow.api.openapi` reads the declarations,
and :mod:`funcflow.api.app` walks the same tree for what anybody may call. Before the method
runs, the declared things are checked: policy, query parameters, body. An operation that says
nothing of its policy is guarded by the rule of its own name, so none can forget.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

import pecan
import webob

from funcflow import errors
from funcflow.api import faults
from funcflow.api.fields import Schema
from funcflow.api.request import Request

TEXT: Schema = {"type": "string"}
BINARY: Schema = {"type": "string", "format": "binary"}
#: Policy of an operation that needs no login.
PUBLIC = ""
#: Schema of a success whose body is empty.
EMPTY = None


class BodyParser(Protocol):
    """What reads and checks a body: :class:`funcflow.api.fields.Body` or a form."""

    def parse(self, request: Request) -> Any: ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """An answer that is not, or not always, JSON: content type to schema."""

    content: Mapping[str, Schema]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path."""

    id: str
    method: str
    summary: str
    #: Success status to schema of the JSON body, to Media, or to EMPTY.
    answers: Mapping[int, Schema | Media | None]
    #: Statuses of errors, beside those that every operation may answer.
    errors: tuple[int, ...] = ()
    body: BodyParser | None = None
    query: Mapping[str, Schema] = dataclasses.field(default_factory=dict)
    headers: Mapping[str, Schema] = dataclasses.field(default_factory=dict)
    #: The rule that must let the asker; None: that of the operation's own name. Or PUBLIC.
    policy: str | None = None
    #: Where the answer's things can be used: operation id to {parameter: field of the answer}.
    links: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)

    @property
    def rule(self) -> str:
        """The name of the policy's rule; PUBLIC when it needs none."""
        return self.id.replace(".", ":") if self.policy is None else self.policy


Method = Callable[[Any, Request], webob.Response]
M = TypeVar("M", bound=Method)


def resource() -> Any:
    """A fresh pecan generic controller, to hang operations on."""

    def index(self: object, request: Request, response: object) -> None:
        allow = sorted(index._pecan["allowed_methods"])  # type: ignore[attr-defined]
        raise faults.NoMethod(request.method, allow + (["HEAD"] if "GET" in allow else []))

    return pecan.expose(generic=True, content_type="application/json")(index)


def operation(
    index: Any,
    method: str,
    id: str,
    summary: str,
    answers: Mapping[int, Schema | Media | None],
    **more: Any,
) -> Callable[[M], M]:
    """Make a method the answer to ``method`` on the resource; see :class:`Operation`."""
    declared = Operation(id=id, method=method, summary=summary, answers=answers, **more)
    known, rule = frozenset(declared.query), declared.rule

    def decorate(function: M) -> M:
        def handler(self: Any, request: Request, response: object) -> webob.Response:
            request.operation = id
            if rule != PUBLIC:
                request.guard.check(rule, request.asker)
            if request.environ.get("QUERY_STRING"):
                _check_names(request.query, known)
            if declared.body is not None:
                request.body = declared.body.parse(request)
            return function(self, request)

        handler.operation = declared  # type: ignore[attr-defined]
        index.when(method=method, content_type="application/json")(handler)
        return function

    return decorate


def exposed_child(function: Callable[..., Any]) -> Any:
    """Marks ``_lookup``: the rest of the path belongs to what it returns.

    The name of its first argument is the parameter's name in the document.
    """
    return pecan.expose()(function)


def _check_names(query: Mapping[str, str], known: frozenset[str]) -> None:
    for name in query:
        if name not in known:
            raise errors.BadRequest(
                f"Unknown argument: {name[:80]!r}",
                code="unknown_parameter",
                hint=f"This path takes: {', '.join(sorted(known)) or 'no parameters'}.",
            )


def walk(controller: Any, path: str = "") -> Iterator[tuple[str, Operation]]:
    """Every (path template, operation) below a controller, in a stable order."""
    index = getattr(controller, "index", None)
    if index is not None:
        handlers = index._pecan["generic_handlers"]
        for name, handler in sorted(handlers.items()):
            if name != "DEFAULT":
                yield path or "/", handler.operation
    for name, child in sorted(_children(controller).items()):
        yield from walk(child, f"{path}/{name}")
    lookup = getattr(controller, "_lookup", None)
    if lookup is not None:
        parameter = next(iter(inspect.signature(lookup).parameters))
        child, _ = lookup(parameter)
        yield from walk(child, f"{path}/{{{parameter}}}")


def _children(controller: Any) -> dict[str, Any]:
    """Public attributes that are controllers, by path segment."""
    names = (name for name in dir(controller) if not name.startswith("_") and name != "index")
    found = {name: getattr(controller, name) for name in names}
    return {name: child for name, child in found.items() if is_controller(child)}


def is_controller(value: Any) -> bool:
    """Whether pecan would route into it."""
    kind = type(value)
    return hasattr(kind, "index") or hasattr(kind, "_lookup") or hasattr(kind, "is_folder")
