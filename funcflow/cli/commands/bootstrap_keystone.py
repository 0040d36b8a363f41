"""``funcflow bootstrap-keystone``: the service, its endpoints, its user and the roles."""

from __future__ import annotations

import argparse
import secrets
from typing import Any

from funcflow.cli import base, cloud, faults, transport

INTERFACES = ("public", "internal", "admin")
#: What the rules of the policy name, and what the service's user needs.
ROLES = ("reader", "member", "manager", "admin", "service")


class BootstrapKeystone(base.Command):
    """Register funcflow in Keystone, logged in as its administrator; again does no harm.

    Makes the service `function-engine` with its endpoints, the roles of the policy where
    they are missing, and the user that asks Keystone about tokens. Prints the lines for
    the configuration file.
    """

    auth_required = False
    example = "funcflow bootstrap-keystone --public-url https://functions.example.org"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--public-url", metavar="URL", required=True, help="for users")
        parser.add_argument("--internal-url", metavar="URL", help="public by default")
        parser.add_argument("--admin-url", metavar="URL", help="internal by default")
        parser.add_argument("--region", metavar="ID", default="RegionOne", help="RegionOne")
        parser.add_argument("--user", metavar="NAME", default="funcflow", help="funcflow")
        parser.add_argument(
            "--user-password", metavar="TEXT", help="of that user; made if it is new"
        )
        parser.add_argument("--project", metavar="NAME", default="service", help="service")
        parser.add_argument("--domain", metavar="ID", default="default", help="of both: default")
        return parser

    def take_action(self, args: argparse.Namespace) -> None:
        keystone = _Keystone(cloud.service(self.app.options, "identity", version="3"))
        internal = args.internal_url or args.public_url
        urls = (args.public_url, internal, args.admin_url or internal)
        service = keystone.ensure("services", name="funcflow", type=transport.SERVICE_TYPE)
        for interface, url in zip(INTERFACES, urls, strict=True):
            keystone.endpoint(service, interface, args.region, url)
        roles = {name: keystone.ensure("roles", name=name) for name in ROLES}
        project = keystone.ensure("projects", name=args.project, domain_id=args.domain)
        password = args.user_password or secrets.token_urlsafe(24)
        user, made = keystone.user(args.user, args.domain, password, change=args.user_password)
        keystone.put(f"/projects/{project}/users/{user}/roles/{roles['service']}")
        shown = password if made or args.user_password else "(as it was)"
        print(_section(keystone.url, args, shown), file=self.app.stdout)


class _Keystone:
    """Keystone's REST API, as far as it is needed."""

    def __init__(self, rest: Any) -> None:
        self._rest = rest
        self.url = str(self._call("get_endpoint"))

    def ensure(self, kind: str, **wanted: str) -> str:
        """The id of the one of these properties; made if it is not there."""
        known = self._call("get", f"/{kind}", params=wanted).json()[kind]
        if known:
            return str(known[0]["id"])
        one = kind.removesuffix("s")
        made = self._call("post", f"/{kind}", json={one: wanted}).json()[one]
        return str(made["id"])

    def endpoint(self, service: str, interface: str, region: str, url: str) -> None:
        """The service's one endpoint of the interface in the region has this URL."""
        self._ensure_region(region)
        wanted = {"service_id": service, "interface": interface, "region_id": region}
        known = self._call("get", "/endpoints", params=wanted).json()["endpoints"]
        if not known:
            self._call("post", "/endpoints", json={"endpoint": {**wanted, "url": url}})
        elif known[0]["url"] != url:
            self._call("patch", f"/endpoints/{known[0]['id']}", json={"endpoint": {"url": url}})

    def user(self, name: str, domain: str, password: str, *, change: bool) -> tuple[str, bool]:
        """The user's id, and whether it was made; ``change``: it gets the password anyway."""
        wanted = {"name": name, "domain_id": domain}
        known = self._call("get", "/users", params=wanted).json()["users"]
        if not known:
            body = {"user": {**wanted, "password": password}}
            return str(self._call("post", "/users", json=body).json()["user"]["id"]), True
        user = str(known[0]["id"])
        if change:
            self._call("patch", f"/users/{user}", json={"user": {"password": password}})
        return user, False

    def put(self, path: str) -> None:
        self._call("put", path)

    def _ensure_region(self, region: str) -> None:
        if self._call("get", f"/regions/{region}", raise_exc=False).status_code == 404:
            self._call("post", "/regions", json={"region": {"id": region}})

    def _call(self, method: str, *arguments: Any, **more: Any) -> Any:
        from keystoneauth1 import exceptions

        try:
            return getattr(self._rest, method)(*arguments, **more)
        except exceptions.ClientException as exc:
            raise faults.ClientError(
                f"Keystone refused: {exc}", hint="Log in as an administrator of the cloud."
            ) from exc


def _section(url: str, args: argparse.Namespace, password: str) -> str:
    return f"""[api]
auth = keystone

[keystone_authtoken]
auth_url = {url}
www_authenticate_uri = {url}
auth_type = password
username = {args.user}
password = {password}
project_name = {args.project}
user_domain_id = {args.domain}
project_domain_id = {args.domain}
region_name = {args.region}"""
