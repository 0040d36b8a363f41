"""The guides, followed to the letter: real Keystone and Swift, and a Nova that asks Keystone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from funcflow.cmd import up
from tests import openstack, webserver
from tests.integration.guides import reader
from tools.services import identities
from tools.services import swift as object_store

#: Functions reach the cloud, and sources log in as the service's user.
MORE = """
[sandbox]
network = host
[openstack]
auth_section = keystone_authtoken
"""
SERVER = "b4c1e2d3-7a65-4f0e-8d21-3c9f5e6a7b80"


@pytest.fixture(scope="module")
def running(cloud: identities.Cloud) -> Iterator[up.Server]:
    with openstack.server(cloud, more=MORE) as made:
        yield made


@pytest.fixture
def team(cloud: identities.Cloud, running: up.Server) -> openstack.Team:
    """A project of the reader's own."""
    return openstack.Team.make(cloud, running.url)


@pytest.fixture
def nova(cloud: identities.Cloud) -> Iterator[tuple[webserver.Server, list[str]]]:
    """Takes a reboot from whoever Keystone knows, and notes in which project they are."""
    projects: list[str] = []

    def reboot(asked: webserver.Asked, _: BaseHTTPRequestHandler) -> webserver.Answer:
        token = {"X-Subject-Token": asked.headers["x-auth-token"]}
        told = cloud.rest.get("/auth/tokens", headers=token).json()["token"]
        projects.append(told["project"]["id"])
        return webserver.Answer(202)

    server = webserver.Server()
    server.on(f"/servers/{SERVER}/action", reboot)
    service = cloud.service("nova", "compute", server.url("/").rstrip("/"))
    try:
        yield server, projects
    finally:
        cloud.rest.delete(f"/services/{service}")
        server.close()


def test_run_a_function_when_an_object_is_uploaded(
    cloud: identities.Cloud, swift: object_store.Server, team: openstack.Team, tmp_path: Path
) -> None:
    reader.follow("objects", tmp_path, cloud, team)


def test_heal_a_server_on_an_alarm(
    cloud: identities.Cloud,
    nova: tuple[webserver.Server, list[str]],
    team: openstack.Team,
    tmp_path: Path,
) -> None:
    reader.follow("alarm", tmp_path, cloud, team)
    server, projects = nova
    assert projects == [team.project], "one reboot, asked for by somebody of the project"
    assert json.loads(server.asked[0].body) == {"reboot": {"type": "HARD"}}


def test_every_guide_is_followed() -> None:
    """The third one where Mistral is: ``tests/integration/mistral``."""
    assert {path.stem for path in reader.GUIDES.glob("*.md")} == {"objects", "alarm", "workflow"}
