"""Secrets that a real Barbican keeps, read through castellan, behind a real Keystone."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from keystoneauth1 import session

from tests import openstack
from tests.api.client import Answer
from tests.waiting import until
from tools.services import barbican, identities

CANARY = "canary-in-barbican"
SOURCE = """
import os
def main():
    print(os.environ["KEY"])
    return len(os.environ["KEY"])
"""
_CONFIG = """\
[secrets]
barbican = true
cache_time = 0
[key_manager]
auth_type = keystone_password
auth_url = {cloud.auth_url}
username = funcflow
password = funcflowpw
project_name = service
user_domain_name = Default
project_domain_name = Default
[barbican]
auth_endpoint = {cloud.auth_url}
[conductor]
backoff = 0.05
max_backoff = 0.2
"""


class Owner:
    """Somebody with secrets in Barbican, and functions here."""

    def __init__(self, cloud: identities.Cloud, url: str, place: barbican.Server) -> None:
        self.cloud, self.place = cloud, place
        self.project = cloud.project(f"team-{openstack.uuid.uuid4().hex[:8]}")
        self.user = cloud.user(f"user-{openstack.uuid.uuid4().hex[:8]}")
        cloud.grant(self.user, "member", "creator", project=self.project)
        self.token = cloud.token(self.user, project_id=self.project)
        self.api = openstack.As(url, self.token)

    def keep(self, value: str = CANARY) -> str:
        """The address of a new secret."""
        return str(self._send("POST", f"{self.place.url}/v1/secrets", {
            "name": "key", "payload": value, "payload_content_type": "text/plain",
        })["secret_ref"])  # fmt: skip

    def let(self, ref: str, *users: identities.User) -> None:
        """Who may read it besides the project."""
        acl = {"read": {"users": [user.id for user in users], "project-access": True}}
        self._send("PUT", f"{ref}/acl", acl)

    def _send(self, method: str, url: str, body: Any) -> Any:
        headers = {"X-Auth-Token": self.token}
        answer = requests.request(method, url, json=body, headers=headers, timeout=30)
        assert answer.ok, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def place(
    cloud: identities.Cloud, barbican: barbican.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """Where a server answers, and all that was logged in it."""
    file = tmp_path_factory.mktemp("log") / "log"
    handler, root = logging.FileHandler(file), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with openstack.server(cloud, more=_CONFIG.format(cloud=cloud)) as running:
            yield running.url, file
    finally:
        root.setLevel(before)
        root.removeHandler(handler)
        handler.close()


@pytest.fixture
def owner(cloud: identities.Cloud, place: tuple[str, Path], barbican: barbican.Server) -> Owner:
    return Owner(cloud, place[0], barbican)


def test_a_function_gets_what_barbican_keeps(
    owner: Owner, cloud: identities.Cloud, place: tuple[str, Path], barbican: barbican.Server
) -> None:
    service, ref = cloud.user("funcflow"), owner.keep()
    made = owner.api("POST", "/v1/secrets", {"name": "KEY", "barbican": ref})
    assert made.status == 201, made.json
    assert made.json["barbican"] == ref.rpartition("/")[2]
    function = owner.api.function(SOURCE, name="f", timeout=20, secrets=[{"secret": "KEY"}])["id"]

    refused = owner.api.run(function)
    assert refused["status"] == "failed"
    assert "SecretUnavailable" in str(refused)
    assert "403" in str(refused), "its owner has not let the service read it"

    owner.let(ref, service)
    ran = owner.api.run(function)
    assert json.loads(ran["result"])["output"] == len(CANARY)
    assert "***" in owner.api("GET", f"/v1/executions/{ran['id']}/log").text

    barbican.kill()
    try:
        late = owner.api.run(function, sync=False)
        path = f"/v1/executions/{late['id']}"
        until(lambda: owner.api("GET", path).json["reason"] == "unavailable", 20, what="a retry")
    finally:
        barbican.start()
    until(lambda: owner.api("GET", path).json["status"] == "success", 30, what="its end")
    assert owner.api("GET", path).json["attempts"] == 1, "that costs no attempt"

    owner.let(ref)
    assert "SecretUnavailable" in str(owner.api.run(function)), "taking it back acts at once"
    assert CANARY not in place[1].read_text()
    assert owner.token not in place[1].read_text()


def test_nobody_refers_to_a_secret_of_others(
    owner: Owner, cloud: identities.Cloud, place: tuple[str, Path], barbican: barbican.Server
) -> None:
    """Although the service may read it."""
    ref = owner.keep()
    owner.let(ref, cloud.user("funcflow"))
    thief = Owner(cloud, place[0], barbican)
    for each in (ref, ref[:-1] + ("0" if ref[-1] != "0" else "1")):
        answer = thief.api("POST", "/v1/secrets", {"name": "mine", "barbican": each})
        assert (answer.status, answer.code) == (403, "barbican_refused")
    assert thief.api("GET", "/v1/secrets").json["secrets"] == []


def test_an_application_credential_refers_to_what_it_may_read(
    owner: Owner, cloud: identities.Cloud, place: tuple[str, Path]
) -> None:
    """With access rules it needs one for Barbican as well: making secrets here is not reading
    them there."""
    cloud.service("funcflow", "function-engine", place[0])
    ref = owner.keep()
    owner.let(ref, cloud.user("funcflow"))
    here = [
        {"service": "function-engine", "method": method, "path": "/v1/secrets"}
        for method in ("GET", "POST")
    ]
    there = [{"service": "key-manager", "method": "GET", "path": "/v1/secrets/**"}]

    def refer(name: str, rules: list[dict[str, str]] | None) -> Answer:
        credential = cloud.application_credential(owner.user, owner.project, name, rules)
        entered = session.Session(credential)
        api = openstack.As(owner.api.url, str(entered.get_token()))
        entered.session.close()
        return api("POST", "/v1/secrets", {"name": name, "barbican": ref})

    assert refer("WIDE", None).status == 201
    assert refer("KEY", [*here, *there]).status == 201
    refused = refer("NARROW", here)
    assert (refused.status, refused.code) == (403, "barbican_refused"), refused.body
    assert refer("ELSEWHERE", there).status == 401, "nothing is let in here"
    kept = owner.api("GET", "/v1/secrets").json["secrets"]
    assert {each["name"] for each in kept} == {"WIDE", "KEY"}
    function = owner.api.function(SOURCE, name="f", timeout=20, secrets=[{"secret": "KEY"}])["id"]
    assert json.loads(owner.api.run(function)["result"])["output"] == len(CANARY)
    assert CANARY not in place[1].read_text()
