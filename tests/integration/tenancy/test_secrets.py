"""Tokens and passwords are in no log, however much is logged, and in no answer."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import openstack
from tools.services import identities, keystone


@pytest.fixture
def everything_logged(tmp_path: Path) -> Iterator[Path]:
    """All that any library says, in a file."""
    file = tmp_path / "log"
    handler = logging.FileHandler(file)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield file
    root.setLevel(before)
    root.removeHandler(handler)
    handler.close()


def test_no_token_and_no_password_is_logged(
    everything_logged: Path, keystone_node: keystone.Server
) -> None:
    """With a Keystone that answers, and with one that is away."""
    with identities.Cloud(keystone_node.url) as cloud, openstack.server(cloud, cache=1) as running:
        team = openstack.Team.make(cloud, running.url)
        tokens = [team.token("member"), team.token("reader"), team.token("admin")]
        bad = "gAAAAAcanary-of-a-token"
        # What the tests themselves did to get them is not what is looked at.
        everything_logged.write_text("")
        answers = []
        for token in (*tokens, bad):
            for more in ({}, {"X_Service_Token": tokens[1]}):  # a reader is no service
                api = openstack.As(running.url, token, **more)
                answers.append(api("GET", "/v1/functions"))
                answers.append(api("POST", "/v1/executions", {"function_id": "nothing"}))
        keystone_node.kill()
        late = openstack.As(running.url, "gAAAAAcanary-while-it-is-away")
        answers.append(late("GET", "/v1/functions"))
    log = everything_logged.read_text()
    assert {answer.status for answer in answers} == {200, 401, 403, 404, 503}
    assert "keystonemiddleware" in log or "Keystone" in log, "it was logged at all"
    for secret in (*tokens, bad, "gAAAAAcanary-while-it-is-away", "funcflowpw"):
        assert secret not in log
        assert all(secret not in answer.text for answer in answers)
