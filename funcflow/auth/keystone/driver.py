"""The ``keystone`` driver: who asks is whom Keystone says the token is of.

Chosen by ``[api] auth = keystone``; ``[keystone_authtoken]`` says where Keystone is and how
the service logs in there. What was found out of a token is kept ready for the next request
with it, so that the warm path only looks it up; tokens of application credentials with access
rules go through the middleware each time, because their answer depends on the path.
"""

from __future__ import annotations

import collections
import dataclasses
import threading
import time
from collections.abc import Iterable
from typing import Any

from oslo_config import cfg
from oslo_context import context as oslo_context

from funcflow import errors, models
from funcflow.auth import headers
from funcflow.auth.keystone import middleware, tokens

#: Askers kept ready at most.
_MOST = 20_000


class KeystoneAuth:
    """The driver; thread-safe."""

    loopback_only = False

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """
        :raises errors.ConfigError: ``[keystone_authtoken]`` is incomplete
        """
        try:
            self._middleware = middleware.Middleware(_admit, conf)
        except Exception as exc:  # of the plug-in that is configured, whatever that is
            raise errors.ConfigError(
                f"[{middleware.GROUP}] is wrong: {exc}",
                hint="See the operator guide: auth_url, auth_type, username, password and so on.",
            ) from exc
        if not conf[middleware.GROUP].auth_type:
            raise errors.ConfigError(
                f"[{middleware.GROUP}] has no auth_type",
                hint="See the operator guide for what the section needs.",
            )
        self._challenge = f'Keystone uri="{conf[middleware.GROUP].www_authenticate_uri or ""}"'
        self._lock = threading.Lock()
        self._ready: collections.OrderedDict[bytes, tuple[float, models.RequestContext]] = (
            collections.OrderedDict()
        )

    def context(self, environ: dict[str, Any], request_id: str) -> models.RequestContext:
        """Whose the token is.

        :raises errors.Unauthorized: no token, or one that is not good (for this path)
        :raises errors.Unavailable: Keystone cannot be asked, and the token is new
        """
        token, service_token = environ.get(headers.TOKEN), environ.get(headers.SERVICE_TOKEN)
        headers.strip(environ)
        if not token:
            raise self._refusal("this needs a token of Keystone")
        key = tokens.digest(token, service_token)
        known = self._ready.get(key)
        if known is not None and time.monotonic() < known[0]:
            context = known[1]
        else:
            context, restricted = self._ask(environ, token, service_token)
            if not restricted:
                self._keep(key, self._middleware.fresh_until(token, service_token), context)
        return dataclasses.replace(
            context,
            request_id=request_id,
            traceparent=environ.get("HTTP_TRACEPARENT"),
            token=token,
        )

    def _ask(
        self, environ: dict[str, Any], token: str, service_token: str | None
    ) -> tuple[models.RequestContext, bool]:
        """Let the middleware look at the request; who it is, and whether the token is not good
        for every path."""
        asked = {**environ, headers.TOKEN: token}
        if service_token:
            asked[headers.SERVICE_TOKEN] = service_token
        answer = "500"

        def start(status: str, *_: Any) -> None:
            nonlocal answer
            answer = status

        _close(self._middleware(asked, start))
        if answer.startswith("401"):
            raise self._refusal("the token is not good, or not for this")
        if not answer.startswith("204"):
            raise tokens.unavailable()
        credential = asked["keystone.token_info"]["token"].get("application_credential") or {}
        return _context(asked), credential.get("access_rules") is not None

    def _keep(self, key: bytes, until: float, context: models.RequestContext) -> None:
        with self._lock:
            self._ready[key] = (until, context)
            self._ready.move_to_end(key)
            while len(self._ready) > _MOST:
                self._ready.popitem(last=False)

    def _refusal(self, message: str) -> errors.Unauthorized:
        return errors.Unauthorized(message, challenge=self._challenge)


def _admit(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """The application behind the middleware: nothing but that it was reached."""
    start_response("204 No Content", [])
    return []


def _close(answer: Iterable[bytes]) -> None:
    for _ in answer:
        pass


def _context(environ: dict[str, Any]) -> models.RequestContext:
    """What the middleware's headers say."""
    said = oslo_context.RequestContext.from_environ(environ, overwrite=False)
    return models.RequestContext(
        project_id=said.project_id or "",
        user_id=said.user_id,
        roles=tuple(sorted(said.roles)),
        project_domain_id=said.project_domain_id,
        user_domain_id=said.user_domain_id,
        domain_id=said.domain_id,
        system_scope=said.system_scope,
        service_roles=tuple(sorted(said.service_roles)),
        request_id="",
    )
