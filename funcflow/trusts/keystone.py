"""The ``keystone`` driver: trusts of Keystone, whose trustee is the service's user.

The service logs in as ``[trusts]`` says, or else as ``[keystone_authtoken]`` does. Nothing that
Keystone answers is passed on or logged: its messages name trusts.
"""

from __future__ import annotations

import datetime
import logging
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from keystoneauth1 import exceptions, loading, plugin, session
from keystonemiddleware import opts
from oslo_config import cfg

from funcflow import delegations, errors, models
from funcflow.trusts import base

LOG = logging.getLogger(__name__)
T = TypeVar("T")

GROUP: Final = "trusts"
SHARED: Final = "keystone_authtoken"
_IDENTITY: Final = {"service_type": "identity", "interface": plugin.AUTH_INTERFACE, "version": (3,)}
#: Options that say where to log in to.
_SCOPES: Final = (
    "project_id", "project_name", "project_domain_id", "project_domain_name", "domain_id",
    "domain_name", "system_scope", "tenant_id", "tenant_name",
)  # fmt: skip
#: Seconds to wait for Keystone, unless configured.
_PATIENCE: Final = 10
_RETRY_AFTER: Final = 2.0
#: What Keystone says of a trust, trustor or project that is gone, disabled or not entitled.
_REFUSALS: Final = (exceptions.Unauthorized, exceptions.Forbidden, exceptions.NotFound)
_NAMED = re.compile(r"""(/OS-TRUST/trusts/|"OS-TRUST:trust": \{"id": ")[^\s/?"]+""")


class _Hidden(logging.Filter):
    """Takes the ids of trusts out of what is logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        told = record.getMessage()
        hidden = _NAMED.sub(r"\1…", told)
        if hidden != told:
            record.msg, record.args = hidden, ()
        return True


# NOTE: at DEBUG the libraries log every path, and what Keystone answers to who logs in.
for _name in ("urllib3.connectionpool", "keystoneauth.identity.v3.base", "keystoneauth.session"):
    logging.getLogger(_name).addFilter(_Hidden())


class KeystoneTrusts:
    """The driver. Nothing is asked before it is needed."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """
        :raises errors.ConfigError: how to log in is not said, or wrong
        """
        self._group = _registered(conf)
        section = conf[conf[self._group].auth_section or self._group]
        self._kind = str(section.auth_type or "")
        if not self._kind:
            raise errors.ConfigError(
                f"[{self._group}] has no auth_type", hint="See doc/trusts.md on [trusts]."
            )
        try:
            self._auth: Any = loading.load_auth_from_conf_options(conf, self._group)
            # Finding the plug-in again for each trust would take longer than asking Keystone.
            self._loader: Any = loading.get_plugin_loader(self._kind)
        except (exceptions.AuthPluginException, cfg.Error, TypeError) as exc:
            raise errors.ConfigError(f"[{self._group}] is wrong: {exc}") from exc
        names = [opt.dest for opt in self._loader.get_options() if opt.dest != "trust_id"]
        self._credentials: dict[str, Any] = {name: section[name] for name in names}
        options = conf[self._group]
        self._session = session.Session(
            verify=not options.insecure and (options.cafile or True),
            cert=(options.certfile, options.keyfile) if options.certfile else None,
            timeout=(self._group == GROUP and options.timeout) or _PATIENCE,
        )
        self._lock = threading.Lock()
        self._trustee: str | None = None

    def make(
        self, context: models.RequestContext, roles: Sequence[str], expires_at: float | None
    ) -> base.Made:
        if context.auth_token is None or context.user_id is None or not context.project_id:
            raise base.TrustRefused("only somebody who is logged in to a project can lend that")
        if "applicationcredential" in self._kind:
            raise errors.ConfigError(
                f"[{self._group}] logs in by an application credential, which cannot use trusts",
                hint="Name a user with a password in [trusts]: see doc/trusts.md.",
            )
        trust = {
            "trustor_user_id": context.user_id,
            "trustee_user_id": self._me(),
            "project_id": context.project_id,
            "roles": [{"name": role} for role in roles],
            "impersonation": True,
            "expires_at": None if expires_at is None else _moment(expires_at),
        }
        try:
            answer = self._ask("POST", "/OS-TRUST/trusts", context.auth_token, {"trust": trust})
        except exceptions.HttpError as exc:
            if exc.http_status >= 500 or exc.http_status in (408, 429):
                raise _unavailable() from None
            raise base.TrustRefused(
                f"Keystone ({exc.http_status}) does not let you lend the roles "
                f"{', '.join(roles)} in project {context.project_id}"
            ) from None
        return base.Made(answer.json()["trust"]["id"], expires_at)

    def token(self, trust_id: str) -> delegations.Delegation:
        login = self._login(trust_id)
        try:
            access = _asking(lambda: login.get_access(self._session))
        except _REFUSALS:
            self._check_own()
            raise base.TrustInvalid(
                "the identity that was lent is good no longer: its trust was revoked or ended, "
                "or its user or project is gone or disabled; who lent it may lend it again"
            ) from None
        return delegations.Delegation(
            token=access.auth_token,
            expires_at=access.expires.timestamp(),
            user_id=access.user_id,
            project_id=access.project_id,
            roles=tuple(sorted(access.role_names)),
            catalog=tuple(access.service_catalog.catalog),
        )

    def good(self, delegation: delegations.Delegation) -> bool:
        # Ours: of a trust's token Keystone says that it is the trustee's.
        own, headers = self._own_token(), {"X-Subject-Token": delegation.token}
        try:
            self._ask("HEAD", "/auth/tokens", own, headers=headers)
        except exceptions.NotFound:
            return False
        except _REFUSALS:
            self._auth.invalidate()  # Who knows; whether the trust is good is found out anew.
            return False
        return True

    def remove(self, trust_id: str) -> None:
        try:
            # Whoever lent it may end it, and that is whose its token is.
            token = self.token(trust_id).token
        except base.TrustInvalid:
            token = self._own_token()
        try:
            self._ask("DELETE", f"/OS-TRUST/trusts/{trust_id}", token)
        except exceptions.NotFound:
            return
        except exceptions.HttpError as exc:
            if exc.http_status >= 500 or exc.http_status == 429:
                raise _unavailable() from None
            raise base.TrustRefused("Keystone does not let us remove the trust") from None

    def close(self) -> None:
        self._session.close()

    # -- parts ----------------------------------------------------------------------------

    def _login(self, trust_id: str) -> Any:
        """As the service's user for a trust, which must not be in a project then."""
        person = {k: v for k, v in self._credentials.items() if k not in _SCOPES}
        return self._loader.load_from_options(**person, trust_id=trust_id)

    def _me(self) -> str:
        """The id of the service's user."""
        with self._lock:
            if self._trustee is None:
                self._trustee = self._own(lambda: str(self._auth.get_user_id(self._session)))
            return self._trustee

    def _own_token(self) -> str:
        return self._own(lambda: str(self._auth.get_token(self._session)))

    def _check_own(self) -> None:
        """That a trust was refused is true only while our own password is good.

        :raises errors.Unavailable: it is not
        """
        self._auth.invalidate()
        self._own_token()

    def _own(self, ask: Callable[[], T]) -> T:
        try:
            return _asking(ask)
        except _REFUSALS:
            LOG.error("Keystone refuses the service's own user: see [%s]", self._group)
            raise _unavailable() from None

    def _ask(
        self,
        method: str,
        path: str,
        token: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """One request as whoever the token is of."""
        # Bodies, answers and paths have ids of trusts in them.
        return _asking(
            lambda: self._session.request(
                path,
                method,
                authenticated=False,
                auth=self._auth,
                log=False,
                json=body,
                endpoint_filter=_IDENTITY,
                headers={**(headers or {}), "X-Auth-Token": token},
            )
        )


def _registered(conf: cfg.ConfigOpts) -> str:
    """The group that says how to log in, with its options known to the configuration."""
    loading.register_auth_conf_options(conf, GROUP)
    loading.register_session_conf_options(conf, GROUP)
    if conf[GROUP].auth_type or conf[GROUP].auth_section:
        return GROUP
    for group, options in opts.list_auth_token_opts():
        conf.register_opts(options, group=group)
    loading.register_auth_conf_options(conf, SHARED)
    return SHARED


def _asking(ask: Callable[[], T]) -> T:
    """What Keystone answers; that it does not answer is one kind of error.

    :raises errors.Unavailable: it does not, or not now
    :raises exceptions.HttpError: it refuses
    """
    try:
        return ask()
    except exceptions.HttpError as exc:
        if exc.http_status >= 500 or exc.http_status in (408, 429):
            raise _unavailable() from None
        raise
    except exceptions.ClientException:
        raise _unavailable() from None


def _unavailable() -> errors.Unavailable:
    return errors.Unavailable(
        "Keystone cannot be asked for an identity",
        code="keystone_unavailable",
        retry_after=_RETRY_AFTER,
    )


def _moment(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
