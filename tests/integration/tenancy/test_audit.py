"""CADF events of what people do, through a real broker."""

from __future__ import annotations

import json
from typing import Any

import kombu
import kombu.simple

from tests import openstack
from tests.waiting import until
from tools.services import identities, rabbitmq

_MORE = """
[audit]
enabled = true
ignore_methods = HEAD
[audit_middleware_notifications]
driver = messagingv2
transport_url = {url}
topics = {topic}
"""


def drained(broker: rabbitmq.Broker, topic: str, least: int) -> list[dict[str, Any]]:
    """The notifications, once there are enough of them."""
    found: list[dict[str, Any]] = []
    with kombu.Connection(broker.url) as connection:
        exchange = kombu.Exchange("openstack", "topic", durable=False)
        queue = kombu.Queue(f"{topic}.info", exchange, f"{topic}.info", durable=False)
        with connection.SimpleQueue(queue) as waiting:

            def enough() -> bool:
                try:
                    message = waiting.get(block=True, timeout=0.2)
                except waiting.Empty:
                    return len(found) >= least
                message.ack()
                body = message.payload
                body = json.loads(body) if isinstance(body, str) else body
                found.append(json.loads(body["oslo.message"]))
                return False

            until(enough, what="the events")
    return found


def transport(broker: rabbitmq.Broker) -> str:
    return f"rabbit://guest:guest@127.0.0.1:{broker.port}/"


def test_operations_are_told_with_their_end(
    cloud: identities.Cloud, rabbitmq_broker: rabbitmq.Broker
) -> None:
    topic = "audit-told"
    more = _MORE.format(url=transport(rabbitmq_broker), topic=topic)
    with openstack.server(cloud, more=more) as running:
        team = openstack.Team.make(cloud, running.url)
        reader, user = team.api("reader"), team.user("member")
        member = openstack.As(running.url, cloud.token(user, project_id=team.project))
        made = member.function("def main(**rest):\n    return rest\n", name="told")
        assert reader("DELETE", f"/v1/functions/{made['id']}").status == 403

    events = drained(rabbitmq_broker, topic, least=4)
    answered = [e["payload"] for e in events if e["event_type"] == "audit.http.response"]
    created, refused = answered[-2:]
    assert (created["action"], created["outcome"]) == ("create", "success")
    assert created["initiator"]["id"] == user.id
    assert created["initiator"]["project_id"] == team.project
    assert created["requestPath"] == "/v1/functions"
    assert created["reason"]["reasonCode"] == "201"
    assert created["target"]["name"] == "funcflow"
    assert created["target"]["typeURI"].endswith("/functions")
    assert (refused["action"], refused["outcome"]) == ("delete", "failure")
    assert refused["reason"]["reasonCode"] == "403"
    # Tokens are nobody's business.
    assert "gAAAA" not in json.dumps(events)


def test_a_broker_that_is_away_holds_up_nobody(cloud: identities.Cloud) -> None:
    more = _MORE.format(url="rabbit://guest:guest@127.0.0.1:1/", topic="audit-lost")
    with openstack.server(cloud, more=more) as running:
        reader = openstack.Team.make(cloud, running.url).api("reader")
        assert reader("GET", "/v1/functions").status == 200
