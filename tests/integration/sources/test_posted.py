"""What Zaqar and Aodh post to triggers' addresses, and the functions that run then."""

from __future__ import annotations

import json
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from funcflow.cmd import up
from tests.api.client import Api
from tests.integration.sources import clouds
from tests.integration.sources.harness import until
from tools.services import identities
from tools.services import zaqar as messaging

CODE = "def main(**given):\n    return given\n"
ALARM = {
    "alarm_id": "41d8e4a6-8d6b-4d0b-a9de-0f1b5b7e1a5c",
    "previous": "insufficient data",
    "current": "alarm",
    "reason_data": {"type": "event", "event": {"message_id": "m-1", "event_type": "x"}},
}


@pytest.fixture
def api(data_dir: Path, zaqar: messaging.Server) -> Iterator[Api]:
    """An embedded funcflow that knows the shared Zaqar."""
    file = data_dir / "funcflow.conf"
    file.write_text(f"[openstack]\nzaqar_url = {zaqar.url}\n")
    options = up.Options(port=0, data_dir=str(data_dir / "data"), config_files=[file])
    server = up.Server(up.load(options))
    try:
        yield Api(server.url)
    finally:
        server.stop()


def trigger(api: Api, source: dict[str, Any]) -> dict[str, Any]:
    """A trigger that runs a function with the event's data."""
    function = api.function(CODE, name=f"f-{uuid.uuid4().hex[:8]}", timeout=10)
    told = {"source": source, "target": {"function": function["id"]}, "input": "<% $event.data %>"}
    made = api("POST", "/v1/triggers", told)
    assert made.status == 201, made.body
    return dict(made.json)


def outputs(api: Api, made: dict[str, Any]) -> list[Any]:
    """What the runs that a trigger set off gave."""
    firings = api("GET", f"/v1/triggers/{made['id']}/firings").json["firings"]
    found = []
    for each in firings:
        shown = api("GET", f"/v1/executions/{each['execution_id']}").json
        if shown["status"] == "success":
            found.append(json.loads(shown["result"])["output"])
    return found


def test_an_alarm_of_aodh_runs_a_function_once(api: Api) -> None:
    made = trigger(api, {"type": "aodh", "states": ["alarm"]})
    assert made["url"] == f"{api.url}/v1/webhooks/{made['id']}/invoke?key={made['secret']}"
    path = made["url"].removeprefix(api.url)
    alarm = {**ALARM, "alarm_name": "down", "severity": "low", "reason": "Event hits the query"}
    first = api("POST", path, alarm)
    assert first.status == 202
    assert api("POST", path, alarm).json == first.json
    quiet = api("POST", path, {**alarm, "current": "ok", "previous": "alarm"})
    assert quiet.json == {"execution_id": None}
    until(lambda: outputs(api, made), what="the run")
    assert outputs(api, made) == [alarm]
    shown = api("GET", f"/v1/triggers/{made['id']}").json
    assert made["secret"] not in json.dumps(shown)
    assert api("POST", path.partition("?")[0], alarm).code == "bad_signature"
    renewed = api("POST", f"/v1/triggers/{made['id']}/secret").json["secret"]
    assert api("POST", path, alarm).code == "bad_signature"
    assert api("POST", f"{path.partition('=')[0]}={renewed}", alarm).json == first.json


def test_zaqar_posts_to_who_it_was_told_wants_it(
    api: Api, cloud: identities.Cloud, zaqar: messaging.Server
) -> None:
    made = trigger(api, {"type": "zaqar_subscription", "queue": "orders"})
    project = clouds.project(cloud)
    with clouds.queue(clouds.configured(cloud), project, zaqar.url, "orders") as orders:
        orders.subscribe(made["url"])
        until(orders.confirmed, what="the subscription to be confirmed")
        orders.post({"order": 1})
        until(lambda: outputs(api, made), what="the run")
    assert outputs(api, made) == [{"order": 1}]


def test_a_confirmation_goes_to_the_zaqar_we_know_alone(api: Api) -> None:
    """FAULTS 33: whoever has a trigger's address cannot make us call what they like."""
    made = trigger(api, {"type": "zaqar_subscription", "queue": "orders"})
    path = made["url"].removeprefix(api.url)
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(0)
        elsewhere = f"http://127.0.0.1:{trap.getsockname()[1]}/v2/queues/orders"
        forged = {
            "Message_Type": "SubscriptionConfirmation",
            "WSGISubscribeURL": f"{elsewhere}/subscriptions/5760c9fb3990b42e8b7c20bd/confirm",
            "URL-Signature": "0" * 64,
            "URL-Methods": "PUT",
            "URL-Paths": "/v2/queues/orders/subscriptions/5760c9fb3990b42e8b7c20bd/confirm",
            "URL-Expires": "2099-01-01T00:00:00",
            "X-Project-ID": "51be2c72393e457ebf0a22a668e10a64",
        }
        assert api("POST", path, forged).code == "cloud_refused"
        assert api("POST", path, {**forged, "URL-Paths": elsewhere}).code == "bad_event"
        with pytest.raises(BlockingIOError):
            trap.accept()
    assert api("GET", f"/v1/triggers/{made['id']}/firings").json["firings"] == []
