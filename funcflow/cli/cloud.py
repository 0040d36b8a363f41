"""``--os-…`` options, ``OS_…`` variables and clouds.yaml, for the ``funcflow`` command.

What they mean is openstacksdk's business, which is imported only when somebody uses them: it
takes longer to load than everything else.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

from funcflow.cli import faults
from funcflow.cli.transport import SERVICE_TYPE, Transport

#: As the ``openstack`` command has them; each is also a variable OS_….
_CLOUD = ("cloud", "auth-type", "region-name", "interface", "cacert", "cert", "key")
#: Those of them that say who logs in, where, and to what.
_AUTH = (
    "auth-url", "username", "user-id", "user-domain-name", "user-domain-id", "password",
    "passcode", "project-name", "project-id", "project-domain-name", "project-domain-id",
    "domain-name", "domain-id", "system-scope", "trust-id", "token", "application-credential-id",
    "application-credential-name", "application-credential-secret",
)  # fmt: skip
#: One of them says that a Keystone is meant.
_DECISIVE = ("cloud", "auth_url", "auth_type")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Offer the options."""
    group = parser.add_argument_group(
        "OpenStack",
        "log in at Keystone and find the server in its catalog, as the openstack command does; "
        "clouds.yaml and the variables OS_CLOUD, OS_AUTH_URL and so on work as well",
    )
    for name in (*_CLOUD, *_AUTH):
        group.add_argument(f"--os-{name}", metavar=f"<{name}>", default=None)


def is_meant(options: argparse.Namespace) -> bool:
    """Whether to log in. ``--os-auth-type none`` is how to say no."""
    given = {name: _given(options, name) for name in _DECISIVE}
    return given["auth_type"] != "none" and any(given.values())


def transport(options: argparse.Namespace, endpoint: str | None) -> Transport:
    """Requests with a token. ``endpoint``: instead of the catalog's.

    :raises faults.ClientError: the options do not go together, or a library is missing
    """
    adapter = service(options, SERVICE_TYPE, endpoint)
    from funcflow.cli.keystone import KeystoneTransport

    return KeystoneTransport(adapter)


def service(
    options: argparse.Namespace,
    kind: str,
    endpoint: str | None = None,
    version: str | None = None,
) -> Any:
    """A keystoneauth adapter for a service of the cloud, and that version of its API.

    :raises faults.ClientError: the options do not go together, or a library is missing
    """
    try:
        from keystoneauth1 import adapter
        from keystoneauth1 import exceptions as keystone_exceptions
        from openstack import config
        from openstack import exceptions as sdk_exceptions
    except ImportError as exc:
        raise faults.ClientError(
            f"logging in needs {exc.name}", hint="pip install 'funcflow[openstack]'"
        ) from exc
    try:
        chosen: dict[str, Any] = {**_chosen(options, _CLOUD), "auth": _chosen(options, _AUTH)}
        cloud = config.OpenStackConfig().get_one(**chosen)
        session = cloud.get_session()
    except (sdk_exceptions.SDKException, keystone_exceptions.ClientException) as exc:
        raise faults.ClientError(
            str(exc), hint="Check the --os- options, the OS_ variables and clouds.yaml."
        ) from exc
    return adapter.Adapter(
        session,
        service_type=kind,
        interface=cloud.get_interface(kind),
        region_name=cloud.get_region_name(kind),
        endpoint_override=endpoint,
        version=version,
    )


def _chosen(options: argparse.Namespace, names: tuple[str, ...]) -> dict[str, str]:
    plain = (name.replace("-", "_") for name in names)
    return {name: value for name in plain if (value := getattr(options, f"os_{name}", None))}


def _given(options: argparse.Namespace, name: str) -> str:
    return getattr(options, f"os_{name}", None) or os.environ.get(f"OS_{name.upper()}", "")
