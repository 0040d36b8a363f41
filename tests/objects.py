"""funcflow beside a real Swift: the configuration, and people's own accounts in it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
from oslo_config import cfg

from funcflow import conf as config
from tools.services import identities, swift

_CONFIG = """\
[swift]
auth_type = password
auth_url = {auth_url}
username = {user.name}
password = {user.password}
project_name = service
user_domain_id = default
project_domain_id = default
endpoint_override = {url}/v1/AUTH_%(project_id)s
container = {container}
"""


def section(server: swift.Server, url: str | None = None, container: str | None = None) -> str:
    """``[swift]`` for a Swift, whose own address or another one that leads to it is ``url``."""
    user = _service(server.auth_url)
    return _CONFIG.format(
        auth_url=server.auth_url, user=user, url=url or server.url,
        container=container or f"store-{uuid.uuid4().hex[:8]}",
    )  # fmt: skip


@functools.cache
def _service(auth_url: str) -> identities.User:
    """funcflow's own user."""
    with identities.Cloud(auth_url) as cloud:
        user = cloud.user("funcflow")
        cloud.grant(user, "service", "member", project=cloud.project("service"))
    return user


def settings(
    server: swift.Server, folder: Path, url: str | None = None, **options: Any
) -> cfg.ConfigOpts:
    """A configuration with a container of its own. ``options``: of ``[swift]``."""
    file = folder / "swift.conf"
    container = options.pop("container", None)
    file.write_text(section(server, url, container))
    quick = {"retries": 2, "read_timeout": 5.0, **options}
    return config.load([file], default={"data_dir": str(folder)}, swift=quick)


@contextlib.contextmanager
def down(server: swift.Server) -> Iterator[None]:
    """Within the block nobody reaches it."""
    server.proxy.kill()
    try:
        yield
    finally:
        server.proxy.start()


@dataclasses.dataclass(frozen=True)
class Person:
    """Somebody of a project, and the project's account."""

    user: identities.User
    project: str
    token: str
    url: str

    @classmethod
    def make(
        cls, cloud: identities.Cloud, server: swift.Server, project: str | None = None
    ) -> Person:
        """Somebody new; without ``project`` of a new one."""
        name = f"team-{uuid.uuid4().hex[:8]}"
        home = project or cloud.project(name)
        user = cloud.user(f"{name}-member")
        cloud.grant(user, "member", project=home)
        token = cloud.token(user, project_id=home)
        return cls(user, home, token, f"{server.url}/v1/AUTH_{home}")

    def put(self, path: str, data: bytes = b"", **headers: str) -> None:
        """A container, or an object (``container/object``)."""
        self._send("PUT", path, data, headers)

    def post(self, path: str, **headers: str) -> None:
        self._send("POST", path, b"", headers)

    def get(self, path: str) -> bytes:
        return self._send("GET", path, b"", {}).content

    def delete(self, path: str) -> None:
        self._send("DELETE", path, b"", {})

    def _send(
        self, method: str, path: str, data: bytes, headers: dict[str, str]
    ) -> requests.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = requests.request(
            method, f"{self.url}/{path}", data=data, timeout=30,
            headers={"X-Auth-Token": self.token, **sent},
        )  # fmt: skip
        answer.raise_for_status()
        return answer
