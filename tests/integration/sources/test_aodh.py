"""Alarms of a real Aodh, set off by events, and the functions that run then."""

from __future__ import annotations

import json
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from funcflow.cmd import up
from tests.api.client import Api
from tests.integration.sources.harness import until
from tests.integration.sources.test_notification import Service, is_bound
from tests.integration.sources.test_posted import outputs, trigger
from tools.services import aodh as alarming
from tools.services import identities

#: Seconds for a test that may be the one that starts Aodh.
_TIMEOUT = 300
#: What the listener and the notifier read.
QUEUES = (".".join(alarming.EVENTS[1:]), "alarming.sample")


@pytest.fixture
def api(data_dir: Path) -> Iterator[Api]:
    server = up.Server(up.load(up.Options(port=0, data_dir=str(data_dir))))
    try:
        yield Api(server.url)
    finally:
        server.stop()


class Alarms:
    """Aodh, as somebody with a token sees it."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._token = token

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"{self._url}/v2/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-Auth-Token": self._token, "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")


class Ceilometer:
    """What tells Aodh of events."""

    def __init__(self, broker: str, project: str) -> None:
        exchange, topic, _ = alarming.EVENTS
        self.service = Service(broker, exchange, topic)
        self._project = project

    def say(self, event_type: str) -> str:
        """An event of the project; its id."""
        event = {
            "message_id": str(uuid.uuid4()),
            "event_type": event_type,
            "generated": "2026-01-01T00:00:00",
            "traits": [["project_id", 1, self._project], ["instance_id", 1, "i-1"]],
        }
        self.service.notifier.sample({}, "event", [event])
        return str(event["message_id"])


@pytest.mark.timeout(_TIMEOUT)
def test_an_event_sets_off_an_alarm_that_runs_a_function(
    api: Api, aodh: alarming.Server, cloud: identities.Cloud, rabbitmq: str
) -> None:
    """All that the user does: make the trigger, and an alarm with the address it showed."""
    project = cloud.project(f"alarms-{uuid.uuid4().hex[:8]}")
    user = cloud.user(f"user-{uuid.uuid4().hex[:8]}")
    cloud.grant(user, "member", project=project)
    alarms = Alarms(aodh.url, cloud.token(user, project_id=project))
    made = trigger(api, {"type": "aodh", "states": ["alarm"]})
    rule = {"event_type": "compute.instance.power_off.*"}
    told = {
        "name": "down", "type": "event", "event_rule": rule, "severity": "critical",
        "alarm_actions": [made["url"]], "repeat_actions": True,
    }  # fmt: skip
    alarm = alarms("POST", "alarms", told)
    for queue in QUEUES:
        until(lambda queue=queue: is_bound(rabbitmq, queue), 120, f"{queue} to be read")
    ceilometer = Ceilometer(rabbitmq, project)
    try:
        ceilometer.say("compute.instance.create.end")
        events = [ceilometer.say("compute.instance.power_off.end") for _ in range(2)]
        until(lambda: len(outputs(api, made)) == 2, 60, "two runs")
    finally:
        ceilometer.service.transport.cleanup()
    runs = outputs(api, made)
    assert {run["alarm_id"] for run in runs} == {alarm["alarm_id"]}
    assert {(run["alarm_name"], run["current"]) for run in runs} == {("down", "alarm")}
    assert sorted(run["reason_data"]["event"]["message_id"] for run in runs) == sorted(events)
    assert alarms("GET", f"alarms/{alarm['alarm_id']}/state") == "alarm"
