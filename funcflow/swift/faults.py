"""What can be wrong with Swift, in our words. Used by this package alone."""

from __future__ import annotations

import requests
import swiftclient
import urllib3
from keystoneauth1 import exceptions as keystone_exceptions

from funcflow import errors

#: Seconds after which a Swift that failed may be better.
PAUSE = 2.0
#: Answers that another try may better; 422: the bytes were damaged on their way.
_PASSING = (401, 408, 422, 429, 498, 499)
#: What swiftclient and what is below it raise.
KINDS = (
    swiftclient.ClientException,
    keystone_exceptions.ClientException,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
)


class Missing(errors.NotFound):
    """Swift answered 404: no such object, container or account."""

    hint = "Check the names of container and object."


class Changed(errors.Conflict):
    code = "object_changed"
    hint = "Try again with the object as it is now."


class Refused(errors.Forbidden):
    code = "object_forbidden"
    hint = "Ask who owns the container to let you (or funcflow's user) in; see doc/openstack.md."


def passing(exc: BaseException) -> bool:
    """Whether trying again makes sense."""
    if isinstance(exc, swiftclient.ClientException):
        status = exc.http_status
        return not status or status in _PASSING or (status >= 500 and status != 507)
    if isinstance(exc, keystone_exceptions.HttpError):
        return bool(exc.http_status >= 500)
    return True


def translated(what: str, exc: BaseException) -> errors.FuncflowError:
    """The error of ours that says what ``exc`` says of ``what``."""
    status = exc.http_status if isinstance(exc, swiftclient.ClientException) else None
    if status == 404:
        return Missing(f"there is no {what} in Swift")
    if status in (401, 403):
        return Refused(f"Swift does not let you use {what}")
    if status == 412:
        return Changed(f"{what} changed meanwhile")
    if status in (413, 507):
        return unavailable(f"Swift has no room for {what}")
    if status is not None and 400 <= status < 500 and not passing(exc):
        return unavailable(f"Swift refuses {what} with {status}")
    return unavailable(f"Swift cannot be asked for {what}: {_reason(exc)}")


def unavailable(message: str) -> errors.Unavailable:
    return errors.Unavailable(message, code="swift_unavailable", retry_after=PAUSE)


def damaged(what: str) -> errors.Unavailable:
    """What arrived is not what Swift says it has."""
    return errors.Unavailable(
        f"{what} was damaged on its way from Swift",
        code="object_damaged",
        hint="Try again; if it persists, put the object into Swift anew.",
    )


def _reason(exc: BaseException) -> str:
    """In a few words; addresses and headers are left to the log."""
    if isinstance(exc, swiftclient.ClientException) and exc.http_status:
        return f"it answered {exc.http_status}"
    if isinstance(exc, (TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError)):
        return "it does not answer in time"
    if isinstance(exc, keystone_exceptions.ClientException):
        return f"logging in at Keystone failed ({type(exc).__name__})"
    return f"the connection failed ({type(exc).__name__})"
