"""Tokens of our own service, from the login in ``[keystone_authtoken]``.

Used by conductors, to vouch for tokens of others that they pass on.
"""

from __future__ import annotations

from keystoneauth1 import exceptions, loading
from oslo_config import cfg

from funcflow import errors
from funcflow.auth.keystone.middleware import GROUP
from funcflow.auth.keystone.tokens import unavailable


class ServiceTokens:
    """For any thread."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """:raises funcflow.errors.ConfigError: the section is incomplete"""
        try:
            loading.register_auth_conf_options(conf, GROUP)
            loading.register_session_conf_options(conf, GROUP)
            login = loading.load_auth_from_conf_options(conf, GROUP)
            self._session = loading.load_session_from_conf_options(conf, GROUP, auth=login)
        except (exceptions.ClientException, cfg.Error) as exc:
            raise errors.ConfigError(
                f"[{GROUP}] is wrong: {exc}", hint="See the operator guide on Keystone."
            ) from exc

    def get(self) -> str:
        """A token that is good now.

        :raises funcflow.errors.Unavailable: Keystone gives none
        """
        try:
            token = self._session.get_token()
        except exceptions.ClientException as exc:
            raise unavailable() from exc
        if token is None:
            raise unavailable()
        return str(token)
