"""Subscriptions over HTTP: who is told of which changes of state, how, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from cloudevents.core.bindings import http as sdk

from funcflow import conf as config
from funcflow.cmd import up
from funcflow.db.engine import Database
from tests import webserver
from tests.api.client import Api
from tests.waiting import until

SOURCE = """
def main(fail=False, **rest):
    if fail:
        raise ValueError("what it was given")
    return rest
"""
SETTINGS = """
[compositions]
http_allow = 127.0.0.0/8
[subscriptions]
backoff = 0.05
max_backoff = 0.1
max_age = 3600
max_backlog = 5
timeout = 2
[limits]
max_subscriptions = 12
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[up.Server]:
    folder = tmp_path_factory.mktemp("subscriptions")
    file = folder / "funcflow.conf"
    file.write_text(SETTINGS)
    options = up.Options(port=0, data_dir=str(folder / "data"), config_files=[file])
    server = up.Server(up.load(options))
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def telling(server: up.Server) -> Api:
    """An API whose tenants may be told on this machine."""
    return Api(server.url)


@pytest.fixture(scope="module")
def function(telling: Api) -> str:
    return str(telling.function(SOURCE, name="told")["id"])


@pytest.fixture
def sink() -> Iterator[webserver.Server]:
    with webserver.serving() as server:
        server.on("/hook", webserver.Answer(204))
        yield server


def subscribe(api: Api, server: webserver.Server, **more: Any) -> dict[str, Any]:
    mode = more.pop("mode", "structured")
    destination = {"type": "http", "url": server.url("/hook"), "mode": mode}
    made = api("POST", "/v1/subscriptions", {"destination": destination, **more})
    assert made.status == 201, made.body
    return dict(made.json)


def run(api: Api, function: str, sync: bool = True, **given: Any) -> str:
    return str(api.run(function, given, sync=sync)["id"])


def events(server: webserver.Server, execution: str | None = None) -> list[Any]:
    """What it was told, as the SDK of CloudEvents reads it."""
    found = [
        sdk.from_http_event(sdk.HTTPMessage(dict(asked.headers), asked.body))
        for asked in server.asked
    ]
    return [event for event in found if execution in (None, event.get_subject())]


def forget(api: Api, *made: dict[str, Any]) -> None:
    for each in made:
        assert api("DELETE", f"/v1/subscriptions/{each['id']}").status == 204


@pytest.mark.parametrize("mode", ["structured", "binary"])
def test_every_change_is_told_in_order_and_signed(
    telling: Api, function: str, sink: webserver.Server, mode: str
) -> None:
    made = subscribe(telling, sink, function=function, states=["any"], mode=mode)
    answer = telling("POST", "/v1/executions", {"function_id": function, "sync": False})
    execution = answer.json["id"]
    until(lambda: len(events(sink, execution)) == 3, timeout=60, what="three events")
    told = events(sink, execution)
    assert [event.get_data()["state"] for event in told] == ["queued", "running", "succeeded"]
    assert [event.get_data()["previous_state"] for event in told] == [None, "queued", "running"]
    assert [event.get_type() for event in told] == [
        f"org.openstack.funcflow.execution.{state}" for state in ("queued", "running", "succeeded")
    ]
    sequence = [event.get_extension("sequence") for event in told]
    assert sequence == sorted(sequence)
    assert len({event.get_id() for event in told}) == 3
    data = told[-1].get_data()
    assert (data["version"], data["function_id"], data["function_name"]) == (
        "1.0",
        function,
        "told",
    )
    assert not {"input", "output"} & set(data)
    assert {event.get_source() for event in told} == {"/v1/executions"}
    for asked in sink.asked:
        assert asked.headers["webhook-signature"] == signature(made["secret"], asked)
    forget(telling, made)


def signature(secret: str, asked: webserver.Asked) -> str:
    """As any library of Standard Webhooks computes it."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    said = f"{asked.headers['webhook-id']}.{asked.headers['webhook-timestamp']}.".encode()
    digest = hmac.new(key, said + asked.body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def test_what_was_given_and_came_back_is_told_to_who_asks(
    telling: Api, function: str, sink: webserver.Server
) -> None:
    plain = subscribe(telling, sink, function=function)
    with webserver.serving() as curious:
        curious.on("/hook", webserver.Answer(200))
        asking = subscribe(telling, curious, function=function, include=["input", "output"])
        good = run(telling, function, answer="forty-two")
        bad = run(telling, function, fail=True)
        until(lambda: len(curious.asked) == 2, timeout=60, what="two events")
        by_state = {event.get_data()["state"]: event.get_data() for event in events(curious)}
        assert by_state["succeeded"]["input"] == {"answer": "forty-two"}
        assert by_state["succeeded"]["output"] == {"answer": "forty-two"}
        assert by_state["failed"]["error"]["message"] == "what it was given"
        assert by_state["succeeded"]["execution_id"] == good
    until(lambda: len(sink.asked) == 2, timeout=60, what="two events without them")
    assert events(sink, bad)[0].get_data()["error"] == {"type": "ValueError"}
    assert not any(b"given" in asked.body or b"forty" in asked.body for asked in sink.asked)
    forget(telling, plain, asking)


def test_only_what_was_subscribed_to_is_told(
    telling: Api, function: str, sink: webserver.Server
) -> None:
    other = str(telling.function(SOURCE, name="other")["id"])
    made = subscribe(telling, sink, function=function, states=["failed"])
    whole = subscribe(telling, sink, kind="composition")
    run(telling, other, fail=True)
    run(telling, function)
    last = run(telling, function, fail=True)
    until(lambda: events(sink, last), timeout=60, what="the one")
    assert len(sink.asked) == 1
    definition = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
    body = {"name": f"c{uuid.uuid4().hex[:8]}", "definition": definition}
    composition = telling("POST", "/v1/compositions", body).json["id"]
    path = f"/v1/compositions/{composition}/executions"
    ran = telling("POST", path, {"sync": True}).json["id"]
    until(lambda: events(sink, ran), timeout=60, what="the composition's")
    (event,) = events(sink, ran)
    assert event.get_source() == "/v1/compositions/-/executions"
    assert event.get_data()["composition_id"] == composition
    forget(telling, made, whole)


def test_one_that_is_away_is_told_later_in_order(
    telling: Api, function: str, sink: webserver.Server
) -> None:
    answers = iter([503, 429, 500])
    sink.on("/hook", lambda *_: webserver.Answer(next(answers, 200)))
    made = subscribe(telling, sink, function=function, states=["any"])
    execution = run(telling, function)
    until(lambda: len(sink.asked) == 5, timeout=60, what="three refusals and two events")
    states = [event.get_data()["state"] for event in events(sink, execution)]
    assert states == ["running"] * 4 + ["succeeded"]
    path = f"/v1/subscriptions/{made['id']}/notices?stage=due"
    until(lambda: telling("GET", path).json["notices"] == [], timeout=60, what="none left")
    forget(telling, made)


def test_what_is_not_taken_is_dead_in_the_end_and_may_be_tried_again(
    telling: Api, server: up.Server, function: str, sink: webserver.Server
) -> None:
    refused = run(telling, function)
    taking = {"all": False}

    def judge(asked: webserver.Asked, _: Any) -> webserver.Answer:
        return webserver.Answer(200 if taking["all"] or refused.encode() not in asked.body else 422)

    sink.on("/hook", judge)
    made = subscribe(telling, sink, function=function)
    refused = run(telling, function)
    taken = run(telling, function)
    until(lambda: events(sink, taken), timeout=60, what="the other one, meanwhile")
    path = f"/v1/subscriptions/{made['id']}"
    until(lambda: events(sink, refused), timeout=60, what="the one")
    _age(server)
    dead = until(lambda: telling("GET", f"{path}/notices").json["notices"], timeout=60, what="it")
    assert [(each["execution_id"], each["state"]) for each in dead] == [(refused, "succeeded")]
    assert dead[0]["reason"] == "it answered 422 Unprocessable Entity"
    before = len(events(sink, refused))
    taking["all"] = True
    assert telling("POST", f"{path}/redrive").json == {"redriven": 1}
    until(lambda: len(events(sink, refused)) > before, timeout=60, what="it again")
    until(lambda: not telling("GET", f"{path}/notices?stage=due").json["notices"], timeout=60)
    assert telling("DELETE", f"{path}/notices").json == {"purged": 0}
    forget(telling, made)


def _age(server: up.Server) -> None:
    """All that waits has waited for very long."""
    database = Database(config.database_url(server._conf))
    try:
        database.transact(lambda conn: conn.execute(sa.text("UPDATE notices SET created_at = 9")))
    finally:
        database.close()


def test_one_that_wants_no_more_is_disabled(
    telling: Api, function: str, sink: webserver.Server
) -> None:
    sink.on("/hook", webserver.Answer(410))
    made = subscribe(telling, sink, function=function)
    path = f"/v1/subscriptions/{made['id']}"
    run(telling, function)
    until(lambda: not telling("GET", path).json["enabled"], timeout=60, what="disabled")
    assert telling("GET", path).json["reason"] == "it wants no more events: it answered 410 Gone"
    sink.on("/hook", webserver.Answer(200))
    enabled = telling("PATCH", path, {"enabled": True}).json
    assert (enabled["enabled"], enabled["reason"]) == (True, None)
    until(lambda: len(sink.asked) >= 2, timeout=60, what="what waited")
    forget(telling, made)


def test_one_that_stays_away_collects_only_so_many(
    telling: Api, function: str, sink: webserver.Server
) -> None:
    sink.on("/hook", webserver.Answer(500))
    made = subscribe(telling, sink, function=function, states=["any"])
    path = f"/v1/subscriptions/{made['id']}"
    for _ in range(4):
        run(telling, function)
    until(lambda: not telling("GET", path).json["enabled"], timeout=60, what="disabled")
    assert "more than 5 events wait" in telling("GET", path).json["reason"]
    forget(telling, made)


def test_another_secret_signs_what_follows(
    telling: Api, function: str, sink: webserver.Server
) -> None:
    made = subscribe(telling, sink, function=function)
    path = f"/v1/subscriptions/{made['id']}"
    assert "secret" not in telling("GET", path).json
    renewed = telling("POST", f"{path}/secret").json["secret"]
    assert renewed != made["secret"]
    run(telling, function)
    until(lambda: sink.asked, timeout=60, what="an event")
    assert sink.asked[0].headers["webhook-signature"] == signature(renewed, sink.asked[0])
    forget(telling, made)


HTTP = {"type": "http"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_field"),
        ({"destination": {"type": "pigeon"}}, "invalid_field"),
        ({"destination": HTTP}, "bad_destination"),
        ({"destination": {**HTTP, "url": "ftp://example.org/"}}, "bad_destination"),
        ({"destination": {**HTTP, "url": "http://u:p@example.org/"}}, "bad_destination"),
        ({"destination": {**HTTP, "url": "http://169.254.169.254/latest"}}, "bad_destination"),
        ({"destination": {**HTTP, "url": "http://10.0.0.1/"}}, "bad_destination"),
        ({"destination": {**HTTP, "url": "http://[::ffff:10.0.0.1]/"}}, "bad_destination"),
        ({"destination": {**HTTP, "url": "http://0x0a000001/"}}, "bad_destination"),
        ({"destination": {**HTTP, "queue": "q"}}, "bad_destination"),
        ({"destination": {"type": "zaqar", "queue": "q"}}, "bad_destination"),
        ({"destination": {**HTTP, "url": "http://8.8.8.8"}, "states": []}, "invalid_field"),
        ({"destination": {**HTTP, "url": "http://8.8.8.8"}, "states": ["x"]}, "invalid_field"),
        ({"destination": {**HTTP, "url": "http://8.8.8.8"}, "function": "no"}, "not_found"),
        (
            {"destination": {**HTTP, "url": "http://8.8.8.8"}, "function": "a", "composition": "b"},
            "bad_target",
        ),
        (
            {"destination": {**HTTP, "url": "http://8.8.8.8"}, "name": str(uuid.uuid4())},
            "bad_name",
        ),
    ],
)
def test_what_cannot_be_used_is_refused(telling: Api, body: Any, code: str) -> None:
    assert telling("POST", "/v1/subscriptions", body).code == code


def test_names_are_unique_and_there_are_only_so_many(telling: Api, unique: str) -> None:
    body = {"name": unique, "destination": {**HTTP, "url": "http://8.8.8.8/"}}
    made = [telling("POST", "/v1/subscriptions", body).json]
    assert telling("POST", "/v1/subscriptions", body).status == 409
    assert telling("GET", f"/v1/subscriptions/{unique}").json["id"] == made[0]["id"]
    changed = telling("PATCH", f"/v1/subscriptions/{unique}", {"states": ["dead"], "include": []})
    assert changed.json["states"] == ["dead"]
    for _ in range(50):
        answer = telling("POST", "/v1/subscriptions", {**body, "name": None})
        if answer.status != 201:
            break
        made.append(answer.json)
    assert answer.code == "limit_reached"
    listed = telling("GET", f"/v1/subscriptions?name={unique}").json["subscriptions"]
    assert [each["id"] for each in listed] == [made[0]["id"]]
    forget(telling, *made)
    assert telling("GET", f"/v1/subscriptions/{unique}").status == 404
