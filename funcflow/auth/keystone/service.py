"""Our own service at Keystone, with the login in ``[keystone_authtoken]``.

Used by conductors, to vouch for tokens of others that they pass on.
"""

from __future__ import annotations

from keystoneauth1 import exceptions, loading, plugin, session
from keystonemiddleware import opts
from oslo_config import cfg

from funcflow import errors
from funcflow.auth.keystone.middleware import GROUP
from funcflow.auth.keystone.tokens import unavailable

#: Seconds to wait for Keystone, unless configured.
_PATIENCE = 5


class Service:
    """For any thread."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """:raises funcflow.errors.ConfigError: the section is incomplete"""
        try:
            for group, options in opts.list_auth_token_opts():
                conf.register_opts(options, group=group)
            login = loading.load_auth_from_conf_options(conf, GROUP)
        except (exceptions.ClientException, cfg.Error) as exc:
            raise errors.ConfigError(
                f"[{GROUP}] is wrong: {exc}", hint="See the operator guide on Keystone."
            ) from exc
        section = conf[GROUP]
        self._session = session.Session(
            login,
            verify=not section.insecure and (section.cafile or True),
            cert=section.certfile and (section.certfile, section.keyfile),
            timeout=section.http_connect_timeout or _PATIENCE,
        )

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

    def vouches(self, token: str) -> bool:
        """Whether somebody's token is good, or was until a while ago: not revoked, and not older
        than Keystone lets services go on with.

        :raises funcflow.errors.Unavailable: Keystone does not say
        """
        try:
            self._session.get(
                "/auth/tokens?allow_expired=true",
                headers={"X-Subject-Token": token},
                endpoint_filter={"interface": plugin.AUTH_INTERFACE, "version": (3, 0)},
                log=False,
            )
        except exceptions.NotFound:
            return False
        except exceptions.ClientException as exc:
            raise unavailable() from exc
        return True
