"""How castellan asks Barbican as somebody whose token we have. Used by :mod:`.barbican`.

The token is sent as it is. Castellan itself would have Keystone make another one of it, which
Keystone does of no token that is lent or an application credential's.
"""

from __future__ import annotations

from typing import Any

from keystoneauth1 import identity, plugin
from oslo_context import context

#: What both castellan's credential and keystoneauth's login have.
_LOGIN = (
    "auth_url", "username", "user_id", "user_domain_id", "user_domain_name", "password",
    "project_id", "project_name", "project_domain_id", "project_domain_name",
)  # fmt: skip


class Context(context.RequestContext):
    """What castellan is given.

    :param login: the service's own, a password, by which Barbican is found in the catalog
    """

    def __init__(self, token: str, login: Any) -> None:
        super().__init__(overwrite=False)
        self._plugin = _Asker(token, login)

    @property
    def refused(self) -> bool:
        """Barbican answered 401, which its client stumbles over."""
        return self._plugin.refused

    def get_auth_plugin(self) -> plugin.BaseAuthPlugin:
        """By castellan's name for it."""
        return self._plugin


class _Asker(plugin.BaseAuthPlugin):
    def __init__(self, token: str, login: Any) -> None:
        super().__init__()
        self.refused = False
        self._token = token
        known: dict[str, Any] = {name: getattr(login, name, None) for name in _LOGIN}
        self._login = identity.Password(**known)

    def get_token(self, session: Any, **kwargs: Any) -> str:
        return self._token

    def invalidate(self) -> bool:
        """Called after a 401; there is no other token."""
        self.refused = True
        return False

    def get_endpoint(self, session: Any, **kwargs: Any) -> str | None:
        found: str | None = self._login.get_endpoint(session, **kwargs)
        return found
