"""Errors as answers: the one JSON shape of everything that went wrong.

Called by :mod:`funcflow.api.app` for whatever a controller, the auth driver or pecan's
routing raises. ``faultstring`` repeats the message because existing clients read it.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pecan.hooks
import webob
import webob.exc
from oslo_log import log as logging

from funcflow import errors
from funcflow.api import reply
from funcflow.compositions.problems import Invalid

LOG = logging.getLogger(__name__)


def to_answer(error: errors.FuncflowError, request_id: str) -> webob.Response:
    """The answer for ``error``."""
    said: dict[str, Any] = {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "request_id": request_id,
    }
    if isinstance(error, Invalid):
        said["problems"] = [dataclasses.asdict(problem) for problem in error.problems]
    body = {
        "error": said,
        "faultstring": error.message,
        "faultcode": "Client" if error.status < 500 else "Server",
        "debuginfo": None,
    }
    response = reply.answer(body, error.status)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    allow = getattr(error, "allow", None)
    if allow:
        response.headers["Allow"] = ", ".join(sorted(allow))
    challenge = getattr(error, "challenge", None)
    if challenge:
        response.headers["WWW-Authenticate"] = challenge
    return response


def unexpected(error: BaseException, request_id: str) -> webob.Response:
    """The answer for a bug or an unforeseen failure: nothing of it shows but the id."""
    LOG.error("request %s failed", request_id, exc_info=error)
    hidden = errors.FuncflowError("the server failed to answer this request")
    return to_answer(hidden, request_id)


class NoMethod(errors.MethodNotAllowed):
    """The path is there, the method is not."""

    def __init__(self, method: str, allow: list[str]) -> None:
        super().__init__(f"the path does not offer {method[:40]}")
        self.allow = allow


class NoPath(errors.NotFound):
    """There is no such path, whatever the method."""

    code = "no_such_path"
    hint = "GET /v1/openapi.json lists the paths there are."

    def __init__(self) -> None:
        super().__init__("no such path")


class TranslateErrors(pecan.hooks.PecanHook):  # type: ignore[misc]
    """Turns what pecan's own routing raises into ours, before pecan renders HTML."""

    def on_error(self, state: object, error: Exception) -> None:
        if isinstance(error, webob.exc.HTTPException) and isinstance(error, webob.exc.HTTPError):
            raise NoPath from error
