"""Secrets of functions that other projects use."""

from __future__ import annotations

import json
import uuid

import pytest

from funcflow.cmd import up
from tests import openstack
from tools.services import identities

CANARY = "canary-of-the-owner"
SOURCE = """
import os
def main():
    print("it is", os.environ["KEY"])
    return len(os.environ["KEY"])
"""


@pytest.fixture
def other(cloud: identities.Cloud, guarded: up.Server) -> openstack.Team:
    return openstack.Team.make(cloud, guarded.url)


def test_they_stay_the_owners(team: openstack.Team, other: openstack.Team) -> None:
    owner, stranger = team.api("member"), other.api("member")
    for each in (owner, stranger):
        value = CANARY if each is owner else "theirs"
        assert each("POST", "/v1/secrets", {"name": "KEY", "value": value}).status == 201
    assert owner("POST", "/v1/secrets", {"name": "OTHER", "value": CANARY}).status == 201
    mounts = [{"secret": "KEY"}]
    name = f"f-{uuid.uuid4().hex[:8]}"
    function = owner.function(SOURCE, name=name, timeout=20, secrets=mounts)["id"]
    path = f"/v1/functions/{function}"
    for permission in ("execute", "publish"):
        share = {"permission": permission, "target_id": other.project}
        assert owner("POST", f"{path}/shares", share).status == 201

    # Whoever runs it, it has its own project's.
    ran = stranger.run(function)
    assert json.loads(ran["result"])["output"] == len(CANARY)
    log = stranger("GET", f"/v1/executions/{ran['id']}/log").text
    assert "it is ***" in log
    # Which ones, and how it is configured, is not shown.
    shown = stranger("GET", path).json
    assert (shown["secrets"], shown["configuration"]) == ([], {})
    # Who may change the code may not hand out more.
    wanted = {"secrets": [*mounts, {"secret": "OTHER"}]}
    assert stranger("PATCH", path, wanted).status == 403
    assert stranger("PATCH", path, {"description": "new"}).status == 200
    kept = owner("GET", path).json["secrets"]
    assert kept == [{"secret": "KEY", "mount": "environment", "name": "KEY"}]
    assert CANARY not in log + str(ran) + str(shown)


def test_a_reader_gives_no_function_a_secret(team: openstack.Team) -> None:
    owner, reader = team.api("member"), team.api("reader")
    assert owner("POST", "/v1/secrets", {"name": "KEY", "value": CANARY}).status == 201
    assert [row["name"] for row in reader("GET", "/v1/secrets").json["secrets"]] == ["KEY"]
    assert reader("PUT", "/v1/secrets/KEY", {"value": "x"}).code == "policy_denied"
    assert reader("DELETE", "/v1/secrets/KEY").code == "policy_denied"
