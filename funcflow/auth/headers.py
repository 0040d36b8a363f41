"""Headers that say who somebody is. Used by the drivers beside this module.

Only what a driver proved may be believed, so each driver first takes away what the client sent.
"""

from __future__ import annotations

from typing import Any

TOKEN = "HTTP_X_AUTH_TOKEN"  # noqa: S105 - the name of a header
SERVICE_TOKEN = "HTTP_X_SERVICE_TOKEN"  # noqa: S105

_SAID_OF_SOMEBODY = (
    "IDENTITY_STATUS", "DOMAIN_ID", "DOMAIN_NAME", "PROJECT_ID", "PROJECT_NAME",
    "PROJECT_DOMAIN_ID", "PROJECT_DOMAIN_NAME", "USER_ID", "USER_NAME", "USER_DOMAIN_ID",
    "USER_DOMAIN_NAME", "ROLES", "IS_ADMIN_PROJECT",
)  # fmt: skip
#: In a WSGI environment. Those without ``SERVICE`` also come as a calling service's.
IDENTITY = (
    TOKEN,
    SERVICE_TOKEN,
    *(f"HTTP_X_{name}" for name in _SAID_OF_SOMEBODY),
    *(f"HTTP_X_SERVICE_{name}" for name in _SAID_OF_SOMEBODY),
    "HTTP_X_SERVICE_CATALOG",
    "HTTP_X_ROLE",
    "HTTP_X_USER",
    "HTTP_X_TENANT",
    "HTTP_X_TENANT_ID",
    "HTTP_X_TENANT_NAME",
    "HTTP_X_STORAGE_TOKEN",
    "HTTP_X_SYSTEM_SCOPE",
    "HTTP_X_TRUST_ID",
    "HTTP_OPENSTACK_SYSTEM_SCOPE",
)


def strip(environ: dict[str, Any]) -> None:
    """Take away whatever the client says of itself, its tokens included."""
    for name in IDENTITY:
        environ.pop(name, None)
