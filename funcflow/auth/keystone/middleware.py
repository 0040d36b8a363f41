"""keystonemiddleware's ``auth_token``, with a memory of ours.

Used by :mod:`funcflow.auth.keystone.driver`. It does what every OpenStack service relies on:
asks Keystone, checks token bindings, service tokens and the access rules of application
credentials, and sets the identity headers.
"""

from __future__ import annotations

from typing import Any

import webob.exc
from keystoneauth1 import exceptions as keystone_exceptions
from keystonemiddleware import auth_token, opts
from oslo_config import cfg

from funcflow.auth.keystone.tokens import Tokens, digest, unavailable

GROUP = "keystone_authtoken"
SERVICE_TYPE = "function-engine"
#: Seconds to wait for Keystone, and times to try again, unless configured.
_PATIENCE, _RETRIES = 5, 1


class Middleware(auth_token.AuthProtocol):  # type: ignore[misc]
    """A WSGI middleware in front of ``app``; answers 401 or 503 itself."""

    def __init__(self, app: Any, conf: cfg.ConfigOpts) -> None:
        for group, options in opts.list_auth_token_opts():
            conf.register_opts(options, group=group)
        conf.set_default("http_connect_timeout", _PATIENCE, group=GROUP)
        conf.set_default("http_request_max_retries", _RETRIES, group=GROUP)
        conf.set_default("service_token_roles_required", True, group=GROUP)
        self.tokens = Tokens(max(0, conf[GROUP].token_cache_time))
        own = {
            "oslo_config_config": conf,
            "service_type": SERVICE_TYPE,
            "delay_auth_decision": False,
            # It is in the answers anyway; access rules are checked against it.
            "include_service_catalog": True,
        }
        super().__init__(app, own)

    def fetch_token(self, token: str, allow_expired: bool = False) -> Any:
        """What Keystone says of a token, now or a short while ago."""

        def ask() -> Any:
            try:
                return super(Middleware, self).fetch_token(token, allow_expired=allow_expired)
            except (webob.exc.HTTPServiceUnavailable, keystone_exceptions.ClientException) as exc:
                raise unavailable() from exc

        return self.tokens.fetch(digest(token.strip(), allow_expired), ask).data

    def fresh_until(self, token: str, service_token: str | None) -> float:
        """Until when (monotonic) what the last request with these tokens gave is good."""
        user = [self.tokens.fresh_until(digest(token.strip(), late)) for late in (False, True)]
        if service_token is None:
            return max(user)
        return min(max(user), self.tokens.fresh_until(digest(service_token.strip(), False)))

    def _validate_token(self, auth_ref: Any, allow_expired: bool = False) -> None:
        """Keystone has looked at the expiry, and the memory keeps to it: our wall clock, which
        the base class would ask, may be wrong."""

    def _token_cache_factory(self) -> Any:
        return _NoCache()


class _NoCache:
    """In place of the base class's own, which keeps to the wall clock."""

    def initialize(self, environ: Any) -> None:
        pass

    def get(self, token: str) -> None:
        return None

    def set(self, token: str, data: Any) -> None:
        pass
