"""Events through a queue of a real Zaqar, in the project of who subscribed."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from funcflow.cmd import up
from tests import openstack
from tests.integration.notices.servers import SOURCE
from tests.integration.sources import clouds
from tests.waiting import until
from tools.services import identities
from tools.services import zaqar as messaging

SETTINGS = """
[openstack]
zaqar_url = {zaqar}
auth_type = password
auth_url = {keystone}
username = funcflow
password = funcflowpw
user_domain_id = default
[subscriptions]
backoff = 0.05
max_backoff = 0.2
"""


@pytest.fixture
def server(cloud: identities.Cloud, zaqar: messaging.Server) -> Iterator[up.Server]:
    more = SETTINGS.format(zaqar=zaqar.url, keystone=cloud.auth_url)
    with openstack.server(cloud, more=more) as running:
        yield running


def test_events_come_through_a_queue_of_the_project(
    cloud: identities.Cloud, server: up.Server, zaqar: messaging.Server
) -> None:
    team = openstack.Team.make(cloud, server.url)
    api = team.api("member")
    body = {"destination": {"type": "zaqar", "queue": "steps", "ttl": 300}, "states": ["any"]}
    made = api("POST", "/v1/subscriptions", body)
    assert (made.status, made.json["secret"]) == (201, None)
    path = f"/v1/subscriptions/{made.json['id']}"
    assert api("POST", f"{path}/secret").code == "no_secret"
    function = api.function(SOURCE, name="stepping")["id"]
    ran = api.run(function)["id"]

    def refused() -> bool:
        waiting = api("GET", f"{path}/notices?stage=due").json["notices"]
        return any(each["attempts"] and each["reason"] for each in waiting)

    until(refused, timeout=60, what="Zaqar to be closed to us")
    cloud.grant(cloud.user("funcflow"), "member", project=team.project)
    until(lambda: not api("GET", f"{path}/notices?stage=due").json["notices"], timeout=60)
    settings = clouds.configured(cloud)
    with clouds.queue(settings, team.project, zaqar.url, "steps") as queue:
        claim = queue.claim(300, 20)
        assert claim is not None
        told = [message.body for message in claim.messages]
    assert [event["data"]["state"] for event in told] == ["running", "succeeded"]
    assert {event["subject"] for event in told} == {ran}
    assert {event["data"]["project_id"] for event in told} == {team.project}
    assert all(event["specversion"] == "1.0" for event in told)
    assert "canary" not in json.dumps(told)
