"""People, projects, roles and services in a Keystone, over its REST API. Used by tests and by
``python -m tools.services``; everything is made if it is not there."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from keystoneauth1 import adapter, session
from keystoneauth1.identity import v3

#: Whom Keystone's bootstrap makes.
ADMIN, ADMIN_PASSWORD = "admin", "adminpw"
DEFAULT_DOMAIN = "default"
REGION = "RegionOne"


@dataclasses.dataclass(frozen=True)
class User:
    """Somebody who can log in."""

    id: str
    name: str
    password: str


class Cloud:
    """The administrator's view of a Keystone; a context manager that closes its connections."""

    def __init__(self, auth_url: str) -> None:
        self.auth_url = auth_url
        self._session = session.Session(
            v3.Password(
                auth_url,
                username=ADMIN,
                password=ADMIN_PASSWORD,
                user_domain_id=DEFAULT_DOMAIN,
                system_scope="all",
            )
        )
        self.rest = adapter.Adapter(self._session, endpoint_override=auth_url)

    def __enter__(self) -> Cloud:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._session.session.close()

    def domain(self, name: str) -> str:
        """Its id."""
        return self._ensure("domains", "domain", name=name)

    def project(self, name: str, domain: str = DEFAULT_DOMAIN) -> str:
        """Its id."""
        return self._ensure("projects", "project", name=name, domain_id=domain)

    def user(self, name: str, domain: str = DEFAULT_DOMAIN) -> User:
        password = f"{name}pw"
        made = self._ensure("users", "user", name=name, domain_id=domain, password=password)
        return User(made, name, password)

    def grant(
        self,
        user: User,
        *roles: str,
        project: str | None = None,
        domain: str | None = None,
        system: bool = False,
    ) -> None:
        """Give roles on one of the three scopes."""
        scope = "/system" if system else f"/domains/{domain}" if domain else f"/projects/{project}"
        for role in roles:
            role_id = self._ensure("roles", "role", name=role)
            self.rest.put(f"{scope}/users/{user.id}/roles/{role_id}")

    def revoke(self, user: User, role: str, project: str) -> None:
        """Take a role away."""
        role_id = self._ensure("roles", "role", name=role)
        self.rest.delete(f"/projects/{project}/users/{user.id}/roles/{role_id}")

    def service(self, name: str, kind: str, url: str) -> str:
        """A service with its endpoint in the catalog; the endpoint's URL is set anew."""
        service = self._ensure("services", "service", name=name, type=kind)
        for interface in ("public", "internal", "admin"):
            query = {"service_id": service, "interface": interface}
            known = self.rest.get("/endpoints", params=query).json()["endpoints"]
            body = {**query, "url": url, "region_id": REGION}
            if known:
                self.rest.patch(f"/endpoints/{known[0]['id']}", json={"endpoint": body})
            else:
                self.rest.post("/endpoints", json={"endpoint": body})
        return service

    def login(self, user: User, **scope: Any) -> v3.Password:
        """How a user logs in; ``scope``: project_id, domain_id, system_scope or trust_id."""
        return v3.Password(self.auth_url, user_id=user.id, password=user.password, **scope)

    def token(self, user: User, **scope: Any) -> str:
        """A fresh token of the user."""
        login = session.Session(self.login(user, **scope))
        try:
            return str(login.get_token())
        finally:
            login.session.close()

    def application_credential(
        self, user: User, project: str, name: str, rules: Sequence[dict[str, str]] | None = None
    ) -> v3.ApplicationCredential:
        """A credential of the user's own; ``rules``: [{service, method, path}]."""
        mine = session.Session(self.login(user, project_id=project))
        body: dict[str, Any] = {"name": name}
        if rules is not None:
            body["access_rules"] = list(rules)
        try:
            answer = mine.post(
                f"{self.auth_url}/users/{user.id}/application_credentials",
                json={"application_credential": body},
            ).json()["application_credential"]
        finally:
            mine.session.close()
        return v3.ApplicationCredential(
            self.auth_url,
            application_credential_id=answer["id"],
            application_credential_secret=answer["secret"],
        )

    def _ensure(self, kind: str, one: str, **body: Any) -> str:
        query = {k: v for k, v in body.items() if k in ("name", "type", "domain_id")}
        known = self.rest.get(f"/{kind}", params=query).json()[kind]
        made = known[0] if known else self.rest.post(f"/{kind}", json={one: body}).json()[one]
        return str(made["id"])
