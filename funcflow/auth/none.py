"""No authentication: whoever reaches the port is the one administrator.

Safe only on the loopback interface, so ``loopback_only`` makes the server refuse any
other address. A web page in a local browser reaches loopback too: requests that
another site made the browser send, or that came by a foreign host name, are refused.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from oslo_config import cfg

from funcflow import errors, models
from funcflow.auth import headers

PROJECT = "default"
ROLES = ("admin", "manager", "member", "reader")


class NoAuth:
    """The ``none`` driver."""

    loopback_only = True

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._own_name = conf.api.host.lower()

    def context(self, environ: dict[str, Any], request_id: str) -> models.RequestContext:
        """The administrator of project ``default``.

        :raises errors.Forbidden: a web page of another site made the request
        """
        headers.strip(environ)
        host = environ.get("HTTP_HOST")
        if host is not None and not self._local(host):
            raise _foreign(f"the host name {host[:80]!r} is not this machine's loopback")
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None and not self._local(origin.partition("://")[2]):
            raise _foreign("a web page of another site made this request")
        if environ.get("HTTP_SEC_FETCH_SITE") == "cross-site":
            raise _foreign("a web page of another site made this request")
        return models.RequestContext(
            project_id=PROJECT,
            roles=ROLES,
            is_admin=True,
            request_id=request_id,
            traceparent=environ.get("HTTP_TRACEPARENT"),
        )

    def _local(self, host: str) -> bool:
        name = _name_of(host)
        if name in ("localhost", "127.0.0.1", self._own_name) or name.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False


def _name_of(host: str) -> str:
    """The name in ``name:port``, without the brackets of an IPv6 address."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def _foreign(message: str) -> errors.Forbidden:
    return errors.Forbidden(
        message,
        code="foreign_origin",
        hint="Without authentication only programs on this machine may call the API.",
    )
