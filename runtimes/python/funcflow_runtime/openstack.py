"""Sessions and connections of OpenStack's own libraries with the token that was lent to the run.

Used by :mod:`.context`. The libraries are the function's: its package brings ``keystoneauth1``,
and ``openstacksdk`` for :func:`connection`. Keystone is not asked: the catalog came with the token,
which could not be exchanged for another anyway.
"""

from __future__ import annotations

from typing import Any

from .metadata import Client


def session(client: Client, **options: Any) -> Any:
    """A ``keystoneauth1.session.Session``; ``options`` are its own.

    :raises MetadataError: nothing was lent to this run (404)
    :raises ImportError: the package has no keystoneauth1
    """
    from keystoneauth1 import session as sessions  # type: ignore[import-not-found, unused-ignore]

    return sessions.Session(auth=_plugin(client), **options)


def connection(client: Client, **options: Any) -> Any:
    """An ``openstack.connection.Connection``; ``options`` are its own, such as ``region_name``.

    :raises MetadataError: nothing was lent to this run (404)
    :raises ImportError: the package has no openstacksdk
    """
    from openstack import connection as connections  # type: ignore[import-not-found, unused-ignore]

    return connections.Connection(session=session(client), **options)


def _plugin(client: Client) -> Any:
    from keystoneauth1 import access
    from keystoneauth1.identity import base

    def lent() -> Any:
        """As Keystone would have answered."""
        told = client.get("credentials")
        token = {
            "methods": ["token"],
            "expires_at": told["expires_at"],
            "user": {"id": told["user_id"]},
            "project": {"id": told["project_id"]},
            "roles": [{"name": name} for name in told["roles"]],
            "catalog": client.get("catalog"),
        }
        return access.AccessInfoV3({"token": token}, auth_token=told["token"])

    class Lent(base.BaseIdentityPlugin):  # type: ignore[misc, unused-ignore]
        """Asks the metadata service wherever others log in."""

        def get_auth_ref(self, session: Any, **options: Any) -> Any:
            return lent()

        def get_cache_id_elements(self) -> dict[str, str]:
            return {}

    plugin = Lent()
    plugin.auth_ref = lent()  # At once: who was lent nothing shall hear it here.
    return plugin
