"""What the metadata service tells of one invocation: pure functions, plain JSON values.

Called by :mod:`.service`. What is long or secret has a path of its own and is not in the whole
document.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from funcflow import delegations, models
from funcflow.sandboxes.base import Request


def find(revision: models.Revision, request: Request, deadline: float, path: Sequence[str]) -> Any:
    """The value at that path: a text, or anything of JSON.

    :param deadline: of the run, in seconds since the epoch
    :param path: names from the root on; empty: the whole document
    :raises KeyError: there is no such, or not for this invocation
    """
    match list(path):
        case ["credentials", *rest]:
            value: Any = credentials(_lent(request))
        case ["catalog", *rest]:
            value = list(_lent(request).catalog)
        case ["secrets", name]:
            return request.secrets[name]
        case rest:
            value = document(revision, request, deadline)
    for name in rest:
        value = value[name] if isinstance(value, Mapping) else _missing(name)
    return value


def document(revision: models.Revision, request: Request, deadline: float) -> dict[str, Any]:
    """Everything but the token, the catalog and the values of secrets."""
    lent = request.delegation
    return {
        "execution_id": request.execution_id,
        "request_id": request.request_id,
        "traceparent": request.traceparent,
        "deadline": deadline,
        "function": {
            "id": revision.function_id,
            "name": request.function_name,
            "version": request.function_version,
            "memory_size": revision.limits.memory_size,
            "timeout": revision.limits.timeout,
        },
        "project_id": revision.project_id,
        "user_id": lent.user_id if lent else None,
        "roles": list(lent.roles) if lent else [],
        "configuration": dict(revision.configuration),
        "secrets": sorted(request.secrets),
    }


def credentials(lent: delegations.Delegation) -> dict[str, Any]:
    """The token it may act with, whose it is, and where its Keystone is."""
    return {
        "token": lent.token,
        "expires_at": _iso(lent.expires_at),
        "auth_url": _auth_url(lent.catalog),
        "user_id": lent.user_id,
        "project_id": lent.project_id,
        "roles": list(lent.roles),
    }


def _lent(request: Request) -> delegations.Delegation:
    return request.delegation or _missing("credentials")


def _missing(name: str) -> Any:
    raise KeyError(name)


def _auth_url(catalog: Sequence[Mapping[str, Any]]) -> str | None:
    """Of the public endpoint of the service type ``identity``."""
    for service in catalog:
        if service.get("type") == "identity":
            for endpoint in service.get("endpoints", ()):
                if endpoint.get("interface") == "public":
                    return str(endpoint["url"])
    return None


def _iso(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
