"""The cloud's services, on behalf of a project. Of the sources, only this speaks to Keystone.

A source acts in the project of its trigger: with what the trigger's owner lent it, or as the
service's own user, which then needs a role there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from oslo_config import cfg

from funcflow import errors
from funcflow.delegations import Delegation, Lender
from funcflow.options import trusts

if TYPE_CHECKING:
    import urllib3

    from funcflow.triggers import base

GROUP: Final = "openstack"
#: Gives a token of a project; ``fresh``: not the one it gave before, which was refused.
Tokens = Callable[[str, bool], str]


class Away(errors.Unavailable):
    """A service of the cloud, or Keystone, does not answer, or not in time."""

    code = "cloud_away"


class Refused(errors.Unavailable):
    """It lets us not do that (yet): the user lacks a role, or there is no such project."""

    code = "cloud_refused"
    hint = "Lend the trigger an identity, or give funcflow's user a role in its project."


class Rights(Protocol):
    """As whom services are asked. Any thread may ask.

    Besides what is below, both raise what gives the rights: that nobody lends them any more.
    """

    def token(self, project_id: str, fresh: bool) -> str:
        """A token of the project. ``fresh``: not the one it gave before, which was refused.

        :raises Away: Keystone does
        :raises Refused: Keystone gives none for this project
        """

    def url(self, project_id: str, service: str) -> str:
        """Where a service is, by the project's catalog; errors as of :meth:`token`.

        :raises Refused: there is none
        """

    def close(self) -> None:
        """Let go of connections."""


def rights(trigger_tools: base.Tools) -> Rights:
    """Those of the trigger's owner, or, where nobody lent any, the service's own."""
    if trigger_tools.lent is not None:
        return Lent(trigger_tools.conf, trigger_tools.lent)
    return Login(trigger_tools.conf)


class Lent:
    """What somebody lent, in the project that it is of. Meets :class:`Rights`."""

    def __init__(self, conf: cfg.ConfigOpts, ask: Lender) -> None:
        register(conf)
        self._section = conf[GROUP]
        self._ask = ask

    def token(self, project_id: str, fresh: bool) -> str:
        return self._given(fresh).token

    def url(self, project_id: str, service: str) -> str:
        from keystoneauth1.access import service_catalog

        catalog = service_catalog.ServiceCatalogV3(
            [dict(entry) for entry in self._given(False).catalog]
        )
        found = _asked(
            lambda: catalog.url_for(
                service_type=service,
                region_name=self._section.region_name,
                interface=self._section.valid_interfaces or ["internal", "public"],
            )
        )
        return str(found).rstrip("/")

    def close(self) -> None:
        """Nothing is open."""

    def _given(self, fresh: bool) -> Delegation:
        try:
            return self._ask(fresh)
        except errors.Unavailable as exc:
            raise Away(exc.message, retry_after=exc.retry_after) from exc


class Login:
    """The service's own user, in whatever project. Meets :class:`Rights`."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._lock = threading.Lock()
        self._sessions: dict[str, Any] = {}

    def token(self, project_id: str, fresh: bool) -> str:
        session = self._session(project_id)
        if fresh:
            session.invalidate()
        return str(_asked(session.get_token))

    def url(self, project_id: str, service: str) -> str:
        session = self._session(project_id)
        section = self._conf[GROUP]
        found = _asked(
            lambda: session.get_endpoint(
                service_type=service,
                region_name=section.region_name,
                interface=section.valid_interfaces or ["internal", "public"],
            )
        )
        if found is None:
            raise Refused(f"the catalog has no {service}")
        return str(found).rstrip("/")

    def close(self) -> None:
        with self._lock:
            sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            session.session.close()

    def _session(self, project_id: str) -> Any:
        from keystoneauth1 import loading

        with self._lock:
            if project_id not in self._sessions:
                loading_conf = self._conf
                register(loading_conf)
                # A plugin of one project: the same user, scoped to whose trigger it is.
                auth = loading.load_auth_from_conf_options(
                    loading_conf, GROUP, project_id=project_id, project_name=None,
                    project_domain_id=None, project_domain_name=None,
                )  # fmt: skip
                if auth is None:
                    raise errors.ConfigError(f"[{GROUP}] has no auth_type")
                self._sessions[project_id] = loading.load_session_from_conf_options(
                    loading_conf, GROUP, auth=auth
                )
            return self._sessions[project_id]


def register(conf: cfg.ConfigOpts) -> None:
    """Idempotent.

    :raises errors.ConfigError: keystoneauth is missing
    """
    try:
        from keystoneauth1 import loading
    except ImportError as exc:
        raise errors.ConfigError(
            f"[{GROUP}] needs {exc.name}", hint="pip install 'funcflow[keystone]'"
        ) from exc
    loading.register_auth_conf_options(conf, GROUP)
    loading.register_session_conf_options(conf, GROUP)
    loading.register_adapter_conf_options(conf, GROUP)
    conf.set_default("timeout", conf[GROUP].call_timeout, group=GROUP)


def reachable(conf: cfg.ConfigOpts) -> bool:
    """Whether there is a cloud: triggers are lent identities of it, or we log in ourselves."""
    return trusts.driver(conf) == "keystone" or configured(conf)


def configured(conf: cfg.ConfigOpts) -> bool:
    """Whether the section says how to log in."""
    try:
        register(conf)
    except errors.ConfigError:
        return False
    # In this order: with an auth_section, the auth_type is looked for there alone.
    return bool(conf[GROUP].auth_section or conf[GROUP].auth_type)


class Service:
    """One service, as one project. Any thread may call.

    :param where: its URL, looked up when it is first needed
    """

    def __init__(
        self, project_id: str, tokens: Tokens, where: Callable[[], str], timeout: float
    ) -> None:
        import urllib3  # Comes with what logs in; nobody else needs it.

        self._away = urllib3.exceptions.HTTPError
        self._project_id = project_id
        self._tokens = tokens
        self._where = where
        self._pool: urllib3.PoolManager = urllib3.PoolManager(
            maxsize=4, retries=False, timeout=urllib3.Timeout(connect=timeout, read=timeout)
        )

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        accepted: tuple[int, ...] = (),
    ) -> Any:
        """An answer of 2xx, or of a status in ``accepted``: status, headers, data.

        :raises Away: there is none, or it is 429 or 5xx
        :raises Refused: it is another one
        """
        answer = self._once(method, path, body, headers, fresh=False)
        if answer.status == 401:  # A token may have been revoked, or Keystone's keys changed.
            answer = self._once(method, path, body, headers, fresh=True)
        if 200 <= answer.status < 300 or answer.status in accepted:
            return answer
        where = f"{method} {path.partition('?')[0]} answered {answer.status}"
        raise (Away if answer.status == 429 or answer.status >= 500 else Refused)(where)

    def close(self) -> None:
        self._pool.clear()

    def _once(
        self, method: str, path: str, body: Any, headers: Mapping[str, str] | None, fresh: bool
    ) -> Any:
        sent = {"X-Auth-Token": self._tokens(self._project_id, fresh), **(headers or {})}
        more = {} if body is None else {"json": body}
        try:
            return self._pool.request(
                method, self._where() + path, headers=sent, redirect=False, **more
            )
        except self._away as exc:
            raise Away(f"{method} {path.partition('?')[0]}: {type(exc).__name__}") from exc


def _asked(question: Callable[[], Any]) -> Any:
    from keystoneauth1 import exceptions

    try:
        return question()
    except (exceptions.EmptyCatalog, exceptions.EndpointNotFound) as exc:
        raise Refused("the catalog has no such service") from exc
    except (exceptions.Unauthorized, exceptions.NotFound, exceptions.Forbidden) as exc:
        raise Refused(f"Keystone refuses a login to the project: {type(exc).__name__}") from exc
    except exceptions.ClientException as exc:
        raise Away(f"Keystone is away: {type(exc).__name__}") from exc
