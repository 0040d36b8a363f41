"""One tree of errors, each with a stable code.

Raised anywhere below the API; :mod:`funcflow.api.faults` turns them into the one
JSON shape. ``code`` is part of the API and never changes; ``message`` says what was
found; ``hint`` says what to do next.
"""

from __future__ import annotations


class FuncflowError(Exception):
    """Base of everything funcflow raises on purpose."""

    code = "internal"
    status = 500
    hint = "Try again; if it persists, give the request id to your operator."

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if hint is not None:
            self.hint = hint
        if code is not None:
            self.code = code
        #: Seconds after which a retry makes sense, or None.
        self.retry_after = retry_after


class BadRequest(FuncflowError):
    code, status = "bad_request", 400
    hint = "Correct the request and send it again."


class BadPackage(BadRequest):
    code = "bad_package"
    hint = "Send a plain zip of regular files, inside the limits of the guide."


class Unauthorized(FuncflowError):
    """``challenge``: what the header WWW-Authenticate says."""

    code, status = "unauthorized", 401
    hint = "Log in (again) at Keystone, and send the token as X-Auth-Token."

    def __init__(self, message: str, *, challenge: str) -> None:
        super().__init__(message)
        self.challenge = challenge


class Forbidden(FuncflowError):
    code, status = "forbidden", 403
    hint = "Ask the owner of the resource, or your operator, for the right to do this."


class InUse(Forbidden):
    """Qinling answers 403, not 409, where a resource is still used."""

    code = "in_use"
    hint = "Remove what uses it first."


class NotFound(FuncflowError):
    code, status = "not_found", 404
    hint = "Check the id or name and the project; list the collection to see what is there."


class MethodNotAllowed(FuncflowError):
    code, status = "method_not_allowed", 405
    hint = "See the Allow header or /v1/openapi.json for what this path offers."


class Conflict(FuncflowError):
    code, status = "conflict", 409
    hint = "Read the resource again and decide anew."


class TooLarge(FuncflowError):
    code, status = "too_large", 413
    hint = "Send less, or put the data in an object store and pass its address."


class TooMany(FuncflowError):
    code, status = "too_many", 429
    hint = "Wait for the time in Retry-After and send it again."


class Unavailable(FuncflowError):
    code, status = "unavailable", 503
    hint = "A part funcflow needs is away; wait for the time in Retry-After."


class ConfigError(FuncflowError):
    code, status = "bad_config", 500
    hint = "Correct the configuration file; `funcflow status` checks it."
