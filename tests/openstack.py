"""A funcflow behind a real Keystone, and people who call it. Used by the tests of tenancy."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from funcflow.cmd import up
from tests.api.client import Answer, Api
from tools.services import identities

_CONFIG = """\
[api]
auth = keystone
[keystone_authtoken]
auth_url = {url}
www_authenticate_uri = {url}
auth_type = password
username = {user.name}
password = {user.password}
project_name = service
user_domain_id = default
project_domain_id = default
token_cache_time = {cache}
[oslo_policy]
policy_file = {folder}/policy.yaml
"""


@contextlib.contextmanager
def server(
    cloud: identities.Cloud, *, cache: int = 300, more: str = "", folder: Path | None = None
) -> Iterator[up.Server]:
    """An embedded funcflow that asks the cloud's Keystone. ``cache``: seconds an answer of
    Keystone is good; ``more``: further lines of the configuration."""
    user = cloud.user("funcflow")
    cloud.grant(user, "service", "admin", project=cloud.project("service"))
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="funcflow-")))
        file = folder / "funcflow.conf"
        text = _CONFIG.format(url=cloud.auth_url, user=user, cache=cache, folder=folder)
        file.write_text(text + more)
        options = up.Options(port=0, data_dir=str(folder / "data"), config_files=[file])
        running = up.Server(up.load(options))
        stack.callback(running.stop)
        yield running


def clouds_file(folder: Path, cloud: identities.Cloud, **people: tuple[str, str, str]) -> Path:
    """A clouds.yaml with a cloud for each of ``name=(user, password, project id)``."""
    told = {
        name.replace("_", "-"): {
            "region_name": identities.REGION,
            "auth": {
                "auth_url": cloud.auth_url,
                "username": user,
                "password": password,
                "user_domain_id": identities.DEFAULT_DOMAIN,
                "project_id": project,
            },
        }
        for name, (user, password, project) in people.items()
    }
    file = folder / "clouds.yaml"
    file.write_text(yaml.safe_dump({"clouds": told}))
    return file


class As(Api):
    """The API as somebody who sends a token, or any other headers, calls it."""

    def __init__(self, url: str, token: str | None = None, **headers: str) -> None:
        self._own = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            self._own["X-Auth-Token"] = token
        super().__init__(url)

    def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        return super()._send(method, path, body, {**self._own, **headers})


@dataclasses.dataclass(frozen=True)
class Team:
    """A project of a test's own, and how to make its people."""

    cloud: identities.Cloud
    url: str
    project: str
    domain: str = identities.DEFAULT_DOMAIN

    @classmethod
    def make(cls, cloud: identities.Cloud, url: str, domain: str | None = None) -> Team:
        home = domain or identities.DEFAULT_DOMAIN
        return cls(cloud, url, cloud.project(f"team-{uuid.uuid4().hex[:8]}", home), home)

    def user(self, *roles: str) -> identities.User:
        """Somebody new with these roles."""
        made = self.cloud.user(f"user-{uuid.uuid4().hex[:8]}")
        self.cloud.grant(made, *roles, project=self.project)
        return made

    def token(self, *roles: str) -> str:
        return self.cloud.token(self.user(*roles), project_id=self.project)

    def api(self, *roles: str, **headers: Any) -> As:
        """The API as somebody new with these roles calls it."""
        return As(self.url, self.token(*roles), **headers)
