"""Identities that are lent while Keystone comes and goes, and what is said of them meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from funcflow import delegations
from tests import openstack
from tests.integration.tenancy.lending import STRICT, WITHOUT_WALLS, deploy, trusts_of
from tests.integration.tenancy.test_secrets import everything_logged
from tests.integration.tenancy.test_trusts import call, ran
from tests.waiting import until
from tools.services import identities, keystone

__all__ = ["everything_logged"]


@pytest.fixture
def cloud(keystone_node: keystone.Server) -> Iterator[identities.Cloud]:
    """Of a Keystone of the test's own."""
    with identities.Cloud(keystone_node.url) as made:
        yield made


def test_keystone_goes_and_comes_back(
    everything_logged: Path,
    keystone_node: keystone.Server,
    cloud: identities.Cloud,
    lent: list[delegations.Delegation],
) -> None:
    """What was lent goes on; what was not waits, and never runs without; what is to be removed is
    removed later. And however much is logged, no token and no trust is."""
    with openstack.server(cloud, more=STRICT + WITHOUT_WALLS) as running:
        team = openstack.Team.make(cloud, running.url)
        ann = team.user("member")
        api = openstack.As(running.url, cloud.token(ann, project_id=team.project))
        everything_logged.write_text("")
        known, new, old = (deploy(api, "owner", "member") for _ in range(3))
        acting = deploy(api, "caller", "member")
        ran(api, known)
        trusts = trusts_of(cloud, ann)
        assert len(trusts) == 3

        keystone_node.kill()
        assert ran(api, known)["state"] == "succeeded", "it has a token that is good"
        waiting = api("POST", "/v1/executions", {"function_id": new}, headers={"Prefer": "wait=1"})
        assert waiting.status == 202, waiting.body
        path = f"/v1/executions/{waiting.json['id']}"
        until(lambda: api("GET", path).json["reason"] == "keystone_unavailable", 60, "the reason")
        away = call(api, acting)
        assert (away.status, away.code) == (503, "keystone_unavailable")
        lends = {"identity": {"as": "owner", "roles": ["reader"]}}
        assert api("PATCH", f"/v1/functions/{known}", lends).status == 503
        assert api("DELETE", f"/v1/functions/{old}").status == 204
        assert len(lent) == 2, "nothing runs without what it asks for"

        keystone_node.start()
        until(lambda: api("GET", path).json["state"] == "succeeded", 60, "what waited")
        assert api("GET", path).json["attempts"] == 1, "that cost no attempt"
        until(lambda: len(trusts_of(cloud, ann)) == 2, 60, "the trust to be removed")
        ran(api, acting)
        trusts += trusts_of(cloud, ann)
        assert api("DELETE", f"/v1/functions/{new}").status == 204
        until(lambda: len(trusts_of(cloud, ann)) == 2, 60, "the trust to be removed")
        data = Path(running._conf.data_dir)
        kept = {file.name: file.read_bytes() for file in data.glob("*") if file.is_file()}
    logging.getLogger().handlers[-1].flush()
    log = everything_logged.read_text()
    assert "/OS-TRUST/trusts/…" in log, "it was logged at all"
    for secret in (*trusts, *(each.token for each in lent), "funcflowpw"):
        assert secret not in log
    board = b"".join(data for name, data in kept.items() if name.startswith("board"))
    assert board, kept.keys()
    assert not any(trust.encode() in board for trust in trusts)
    everything = b"".join(kept.values())
    assert not any(each.token.encode() in everything for each in lent), "they are kept nowhere"
