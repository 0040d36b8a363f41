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


def test_a_trigger_is_changed_rests_and_goes(api: Api, hello: str, unique: str) -> None:
    trigger = made(
        api, name=unique, source={"type": "cloudevent"}, target={"function": hello},
        criteria={"data.x": {"type": "exists"}}, retry={"attempts": 2},
    )  # fmt: skip
    path = f"/v1/triggers/{trigger['id']}"
    assert api("GET", f"/v1/triggers/{unique}").json["id"] == trigger["id"]
    clash = {"name": unique, "source": {"type": "cloudevent"}, "target": {"function": hello}}
    assert api("POST", "/v1/triggers", clash).status == 409
    changed = api("PATCH", path, {"criteria": None, "enabled": False, "rate_limit": 5}).json
    assert (changed["criteria"], changed["enabled"], changed["rate_limit"]) == (None, False, 5)
    assert changed["retry"] == {"attempts": 2, "interval": 10.0}
    refused = send(api, f"{path}/events", event())
    assert (refused.status, refused.code) == (409, "trigger_disabled")
    trial = api("POST", f"{path}/test", {"event": {"data": 1}}).json
    assert (trial["matched"], trial["would_run"]) == (True, False)
    listed = api("GET", f"/v1/triggers?name={unique}&enabled=false").json["triggers"]
    assert [each["id"] for each in listed] == [trigger["id"]]
    assert api("DELETE", f"/v1/functions/{hello}").status == 403, "a trigger would run it"
    assert api("DELETE", path).status == 204
    assert api("GET", path).status == 404


def test_what_cannot_work_is_refused_and_nothing_is_kept(api: Api, hello: str, unique: str) -> None:
    good = {"name": unique, "source": {"type": "cloudevent"}, "target": {"function": hello}}
    for change, code in (
        ({"source": {"type": "carrier-pigeon"}}, "bad_source"),
        ({"source": {"type": "cron", "pattern": "soon"}}, "bad_source"),
        ({"source": {"pattern": "* * * * *"}}, "invalid_field"),
        ({"target": {}}, "bad_target"),
        ({"target": {"function": hello, "composition": "c"}}, "bad_target"),
        ({"target": {"function": "no-such-function"}}, "not_found"),
        ({"target": {"composition": "no-such-composition"}}, "not_found"),
        ({"criteria": {"data.x": {"type": "regex", "pattern": "("}}}, "bad_criteria"),
        ({"criteria": "{% $event.( %}"}, "bad_criteria"),
        ({"input": "<% $nobody %>"}, "bad_mapping"),
        ({"dedup_window": 8 * 86400}, "invalid_field"),
        ({"source": {"type": "webhook"}, "dedup_window": 1}, "invalid_field"),
        ({"name": "no blanks"}, "invalid_field"),
        ({"name": hello}, "bad_name"),
        ({"colour": "red"}, "unknown_field"),
    ):
        answer = api("POST", "/v1/triggers", {**good, **change})
        assert answer.code == code, (change, answer.body)
    assert api("GET", f"/v1/triggers?name={unique}").json["triggers"] == []


def test_events_with_one_key_run_once_in_the_window(api: Api, hello: str, unique: str) -> None:
    trigger = made(
        api, name=unique, source={"type": "cloudevent"}, target={"function": hello},
        input={"name": "x"}, dedup_key="<% $event.data.alarm %>", dedup_window=1.5,
    )  # fmt: skip
    path = f"/v1/triggers/{trigger['id']}/events"

    def fired(number: int, alarm: str) -> str:
        (done,) = send(api, path, event(number, data={"alarm": alarm})).json["firings"]
        assert done["outcome"] == "fired"
        return str(done["execution_id"])

    first = fired(1, "a")
    assert fired(2, "a") == first
    assert fired(3, "b") != first
    until(lambda: fired(4, "a") != first, what="the window to end")


def test_a_rate_limit_pushes_back(api: Api, hello: str) -> None:
    trigger = made(
        api, source={"type": "cloudevent"}, target={"function": hello}, input={}, rate_limit=1
    )
    path = f"/v1/triggers/{trigger['id']}/events"
    assert send(api, path, event(1)).status == 202
    busy = send(api, path, event(2))
    assert (busy.status, busy.code) == (429, "trigger_busy")
    assert 1 <= int(busy.headers["Retry-After"]) <= 61
    assert send(api, path, event(1)).status == 202, "what was taken costs nothing"


def test_a_target_that_is_gone_is_tried_again_then_dead_and_can_be_redriven(
    api: Api, hello: str, unique: str
) -> None:
    alias = {"name": unique, "function_id": hello}
    assert api("POST", "/v1/aliases", alias).status == 201
    trigger = made(
        api, source={"type": "cloudevent"}, target={"alias": unique},
        input={"name": "<% $event.data.name %>"}, retry={"attempts": 2, "interval": 1},
    )  # fmt: skip
    assert api("DELETE", f"/v1/aliases/{unique}").status == 204
    (first,) = send(api, f"/v1/triggers/{trigger['id']}/events", event()).json["firings"]
    assert (first["outcome"], first["attempts"]) == ("retrying", 1)
    until(lambda: firings(api, trigger["id"], outcome="dead"), what="the last attempt")
    (dead,) = firings(api, trigger["id"])
    assert (dead["attempts"], dead["execution_id"]) == (2, None)
    assert "not_found" in dead["reason"]
    path = f"/v1/triggers/{trigger['id']}/firings/{dead['id']}"
    assert api("GET", path).json == dead
    assert api("POST", "/v1/aliases", alias).status == 201
    after = api("POST", f"{path}/redrive").json
    assert after["outcome"] == "fired"
    assert output(api, after["execution_id"])["hello"] == "Ann"
    assert api("POST", f"{path}/redrive").code == "not_dead"
    assert api("DELETE", f"/v1/triggers/{trigger['id']}").status == 204


def test_ends_of_executions_set_off_others_and_a_circle_ends(api: Api, unique: str) -> None:
    function = api.function("def main(**event):\n    return 1", name=unique, timeout=10)["id"]
    trigger = made(
        api, source={"type": "execution", "function_id": function, "on": "success"},
        target={"function": function}, input={"depth": "<% $event.funcflowdepth %>"},
    )  # fmt: skip
    first = api.run(function)
    until(lambda: firings(api, trigger["id"], outcome="refused"), timeout=60, what="the end")
    found = firings(api, trigger["id"])
    assert [each["depth"] for each in found] == list(range(1, 10))
    assert found[0]["event_id"].startswith(first["id"])
    assert "chain_too_deep" in found[-1]["reason"]
    assert len({each["traceparent"].split("-")[1] for each in found}) == 1, "one trace"
    assert api("DELETE", f"/v1/triggers/{trigger['id']}").status == 204


def test_only_failures_are_told_of_when_only_they_are_wanted(
    api: Api, hello: str, unique: str
) -> None:
    source = "def main(bad=False):\n    assert not bad, 'as asked'\n    return 1"
    function = api.function(source, name=unique, timeout=10)["id"]
    trigger = made(
        api, source={"type": "execution", "function_id": function, "on": "failure"},
        target={"function": hello}, input={"name": "<% $event.data.error.message %>"},
    )  # fmt: skip
    api.run(function)
    api.run(hello)
    failed = api.run(function, {"bad": True})
    until(lambda: firings(api, trigger["id"]), what="the failure to be told")
    (only,) = firings(api, trigger["id"])
    assert only["event_id"].startswith(failed["id"])
    assert output(api, only["execution_id"])["hello"] == "as asked"


def test_a_composition_is_started_once(api: Api, unique: str) -> None:
    definition = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
    body = {"name": unique, "definition": definition}
    assert api("POST", "/v1/compositions", body).status == 201
    trigger = made(
        api, source={"type": "cloudevent"}, target={"composition": unique},
        input={"of": "<% $event.id %>"},
    )  # fmt: skip
    path = f"/v1/triggers/{trigger['id']}/events"
    batch = [event(1), event(2), event(1)]
    done = send(api, path, batch, "application/cloudevents-batch+json").json["firings"]
    ids = [each["execution_id"] for each in done]
    assert ids[0] == ids[2] != ids[1]
    shown = f"/v1/compositions/{unique}/executions/{ids[1]}"
    until(lambda: api("GET", shown).json["status"] == "SUCCEEDED", what="its end")
    assert api("GET", shown).json["output"] == {"of": "2"}
    assert api("DELETE", f"/v1/compositions/{unique}").status == 403
    assert api("DELETE", f"/v1/triggers/{trigger['id']}").status == 204
