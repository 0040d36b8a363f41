"""The service's login at Keystone, and where accounts of projects are.

Made once by each of those who use Swift. The section ``[swift]`` has keystoneauth's options for
credentials (``auth_type``, ``auth_url``, …, or ``auth_section``), for the session (``cafile``, …)
and for the endpoint (``region_name``, ``valid_interfaces``, ``endpoint_override``), beside ours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from keystoneauth1 import adapter, loading
from keystoneauth1 import exceptions as keystone_exceptions
from oslo_config import cfg

from funcflow import errors
from funcflow.delegations import Lender

GROUP = "swift"
#: Seconds to wait for Keystone, unless configured.
_PATIENCE = 10


@dataclasses.dataclass(frozen=True, slots=True)
class Login:
    """Who asks, and for which account; both are looked up when they are needed."""

    #: The account's URL.
    where: Callable[[], str]
    token: Callable[[], str]
    #: Forget the token, which Swift refused; whether there will be another one.
    renew: Callable[[], bool] = lambda: False


def connection(token: str, endpoint: str) -> Login:
    """As somebody who has a token: a caller's own, or one of a trust.

    :param endpoint: the account's URL, as in the token's catalog
    """
    return Login(lambda: endpoint, lambda: token)


class Service:
    """Any thread may ask. Keystone is not spoken to before it is needed."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """
        :raises errors.ConfigError: ``[swift]`` is wrong
        """
        _register(conf)
        self._override: str | None = conf[GROUP].endpoint_override
        try:
            self._auth = loading.load_auth_from_conf_options(conf, GROUP)
            session = loading.load_session_from_conf_options(conf, GROUP, auth=self._auth)
            self._adapter: adapter.Adapter = loading.load_adapter_from_conf_options(
                conf, GROUP, session=session
            )
        except (keystone_exceptions.ClientException, cfg.Error, ValueError) as exc:
            raise _wrong(str(exc)) from exc

    def own(self) -> Login:
        """The service, in the account of its own project.

        :raises errors.ConfigError: ``[swift]`` has no credentials
        """
        return self._login(lambda: self.url(self._own_project()))

    def of_project(self, project_id: str) -> Login:
        """The service, in a project's account: as far as the project lets it in.

        :raises errors.ConfigError: ``[swift]`` has no credentials
        """
        return self._login(lambda: self.url(project_id))

    def of_lent(self, lent: Lender, project_id: str) -> Login:
        """Somebody who lent their rights, in a project's account. What ``lent`` raises, asking
        raises too."""
        return Login(
            lambda: self.url(project_id), lambda: lent(False).token, lambda: bool(lent(True))
        )

    def of_token(self, token: str, project_id: str) -> Login:
        """Somebody with a token of a project, in the project's account."""
        return Login(lambda: self.url(project_id), lambda: token)

    def url(self, project_id: str) -> str:
        """Where a project's account is: the service's own endpoint, with another project in it.

        :raises keystoneauth1.exceptions.ClientException: Keystone does not say
        """
        if self._override:
            return self._override % {"project_id": project_id, "tenant_id": project_id}
        if self._auth is None:
            raise _wrong("it has neither credentials nor endpoint_override")
        found = self._adapter.get_endpoint()
        if found is None:
            raise keystone_exceptions.EndpointNotFound("the catalog has no object store")
        return str(found).replace(self._own_project(), project_id)

    def _own_project(self) -> str:
        return str(self._adapter.get_project_id())

    def _login(self, where: Callable[[], str]) -> Login:
        if self._auth is None:
            raise _wrong("it has no auth_type")
        return Login(where, self._token, self._renew)

    def _token(self) -> str:
        return str(self._adapter.get_token())

    def _renew(self) -> bool:
        return bool(self._adapter.invalidate())


def _register(conf: cfg.ConfigOpts) -> None:
    """Idempotent."""
    loading.register_auth_conf_options(conf, GROUP)
    loading.register_session_conf_options(conf, GROUP)
    loading.register_adapter_conf_options(conf, GROUP)
    conf.set_default("service_type", "object-store", group=GROUP)
    conf.set_default("timeout", _PATIENCE, group=GROUP)


def _wrong(message: Any) -> errors.ConfigError:
    return errors.ConfigError(
        f"[{GROUP}] is wrong: {message}",
        hint="See doc/openstack.md for what the section needs.",
    )
