"""``/v1/triggers``: from an event to an execution, end to end."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from funcflow.triggers import signing
from tests.api.client import Answer, Api
from tests.waiting import until


def made(api: Api, **fields: Any) -> dict[str, Any]:
    """A trigger."""
    answer = api("POST", "/v1/triggers", fields)
    assert answer.status == 201, answer.body
    told: dict[str, Any] = answer.json
    return told


def firings(api: Api, trigger_id: str, **filters: str) -> list[dict[str, Any]]:
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    found: list[dict[str, Any]] = api("GET", f"/v1/triggers/{trigger_id}/firings?{query}").json[
        "firings"
    ]
    return found


def output(api: Api, execution_id: str) -> Any:
    """What the function returned, once it has."""

    def settled() -> bool:
        return bool(api("GET", f"/v1/executions/{execution_id}").json["status"] != "running")

    until(settled, what="the execution to end")
    shown = api("GET", f"/v1/executions/{execution_id}").json
    assert shown["status"] == "success", shown
    return json.loads(shown["result"])["output"]


def event(number: object = 1, **more: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": str(number), "source": "/test", "type": "test.happened",
        "data": {"name": "Ann"}, **more,
    }  # fmt: skip


def send(api: Api, path: str, told: Any, kind: str = "application/cloudevents+json") -> Answer:
    return api("POST", path, json.dumps(told).encode(), content_type=kind)


def test_a_cloud_event_runs_a_function_once(api: Api, hello: str, unique: str) -> None:
    trigger = made(
        api, name=unique, source={"type": "cloudevent", "sources": [f"/{unique}"]},
        target={"function": hello}, criteria={"data.name": {"type": "iequals", "pattern": "ANN"}},
        input={"name": "<% $event.data.name %>", "id": "<% $event.id %>"},
    )  # fmt: skip
    assert trigger["url"].endswith(f"/v1/triggers/{trigger['id']}/events")
    told = event(source=f"/{unique}")
    (first,) = send(api, "/v1/events", told).json["firings"]
    (again,) = send(api, "/v1/events", told).json["firings"]
    assert first["outcome"] == "fired"
    assert again["execution_id"] == first["execution_id"]
    assert output(api, first["execution_id"]) == {"hello": "Ann", "rest": {"id": "1"}}
    (other,) = send(api, "/v1/events", event(2, source=f"/{unique}", data={"name": "Bob"})).json[
        "firings"
    ]
    assert (other["outcome"], other["matched"], other["execution_id"]) == ("unmatched", False, None)
    assert [each["event_id"] for each in firings(api, unique, outcome="fired")] == ["1"]
    shown = api("GET", f"/v1/executions/{first['execution_id']}").json
    assert shown["description"] == f"Created by trigger {trigger['id']}"


def test_a_signed_webhook_runs_a_function(api: Api, hello: str) -> None:
    trigger = made(
        api, source={"type": "webhook"}, target={"function": hello}, input="<% $event.data %>"
    )
    path = f"/v1/webhooks/{trigger['id']}/invoke"
    body = json.dumps({"name": "Eve"}).encode()
    key = base64.b64decode(trigger["secret"].removeprefix(signing.PREFIX))
    now = int(time.time())

    def sent(message: str, at: int, **instead: str) -> Answer:
        headers = {
            signing.ID: message, signing.TIMESTAMP: str(at),
            signing.SIGNATURE: signing.sign(key, message, at, body), **instead,
        }  # fmt: skip
        return api("POST", path, body, headers=headers)

    first = sent("m1", now)
    assert first.status == 202, first.body
    assert output(api, first.json["execution_id"]) == {"hello": "Eve", "rest": {}}
    assert sent("m1", now).json == first.json, "a replay runs nothing"
    old = sent("m2", now - 3600)
    assert (old.status, old.code) == (403, "bad_signature")
    forged = sent("m3", now, **{signing.SIGNATURE: "v1,AAAA"})
    assert (forged.status, forged.code) == (403, "bad_signature")
    assert api("POST", path, body).status == 403
    fresh = api("POST", f"/v1/triggers/{trigger['id']}/secret").json["secret"]
    assert fresh != trigger["secret"]
    assert sent("m4", now).status == 403, "the old secret is of no more use"
    assert "secret" not in api("GET", f"/v1/triggers/{trigger['id']}").json


def test_a_clock_runs_a_function(api: Api, hello: str) -> None:
    trigger = made(
        api,
        source={"type": "cron", "pattern": "* * * * * *", "count": 2, "data": {"name": "Tick"}},
        target={"function": hello}, input="<% $event.data %>",
    )  # fmt: skip
    until(lambda: len(firings(api, trigger["id"])) == 2, what="two firings")
    for each in firings(api, trigger["id"]):
        assert output(api, each["execution_id"]) == {"hello": "Tick", "rest": {}}
    assert len({each["event_id"] for each in firings(api, trigger["id"])}) == 2
