"""Triggers whose target is a workflow of Mistral: once per event, and whose right it is."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.api.client import Answer
from tests.integration.mistral import test_examples
from tests.integration.mistral.stage import Stage
from tests.waiting import until

WORKFLOW = """
version: '2.0'
{name}:
  input: [host]
  output:
    host: <% $.host %>
    told: <% env().funcflow %>
  tasks:
    only:
      action: std.noop
"""


@pytest.fixture
def name(stage: Stage) -> str:
    """A workflow of the test's own."""
    made = f"heal_{uuid.uuid4().hex[:8]}"
    stage.define(WORKFLOW.format(name=made))
    return made


def made(stage: Stage, target: str, **fields: Any) -> dict[str, Any]:
    """A trigger that hears of events whose source is the workflow's name."""
    body = {
        "source": {"type": "cloudevent", "sources": [f"/{target}"]},
        "target": {"workflow": f"mistral:workflow:{target}"},
        "input": {"host": "<% $event.data.host %>"},
        **fields,
    }
    answer = stage.api("POST", "/v1/triggers", body)
    assert answer.status == 201, answer.body
    assert answer.json["target"] == {"workflow": target}
    assert answer.json["identity"]["roles"] == ["member"]
    return dict(answer.json)


def send(stage: Stage, target: str, number: int = 1, **more: Any) -> Answer:
    event = {
        "specversion": "1.0", "id": str(number), "source": f"/{target}", "type": "down",
        "data": {"host": "db1"}, **more,
    }  # fmt: skip
    body = json.dumps(event).encode()
    return stage.api("POST", "/v1/events", body, content_type="application/cloudevents+json")


def firing(stage: Stage, trigger: dict[str, Any]) -> dict[str, Any]:
    (found,) = stage.api("GET", f"/v1/triggers/{trigger['id']}/firings").json["firings"]
    return dict(found)


def once(stage: Stage, trigger: dict[str, Any], outcome: str) -> dict[str, Any]:
    """The only firing, once it has come to that."""

    def found() -> dict[str, Any] | None:
        now = firing(stage, trigger)
        return now if now["outcome"] == outcome else None

    last = until(found, 60, f"the firing to be {outcome}")
    assert last is not None
    return last


def executions(stage: Stage, workflow: str) -> list[dict[str, Any]]:
    query = f"executions?workflow_name=eq:{workflow}"
    found: list[dict[str, Any]] = stage.ask("GET", query)["executions"]
    return found


def test_an_event_starts_a_workflow_once_as_the_triggers_owner(stage: Stage, name: str) -> None:
    trigger = made(stage, name)
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    caused: dict[str, Any] = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01", "funcflowdepth": 2}
    send(stage, name, **caused)
    done = once(stage, trigger, "fired")
    (again,) = send(stage, name, **caused).json["firings"]
    assert again["id"] == done["id"]
    assert (done["outcome"], done["kind"], done["depth"]) == ("fired", "workflow", 3)
    ended = stage.end(done["execution_id"])
    assert ended["state"] == "SUCCESS", ended
    assert ended["output"]["host"] == "db1"
    told = ended["output"]["told"]
    assert (told["trigger_id"], told["event_id"], told["depth"]) == (trigger["id"], "1", 3)
    assert told["traceparent"] == done["traceparent"]
    assert trace in told["traceparent"]
    # Mistral shows it to the project alone: it was started in the project's name.
    assert [each["id"] for each in executions(stage, name)] == [ended["id"]]


def test_a_workflow_that_is_not_there_yet(stage: Stage) -> None:
    """Tried again, then a dead letter, then redriven."""
    name = f"late_{uuid.uuid4().hex[:8]}"
    trigger = made(stage, name, retry={"attempts": 2, "interval": 1})
    path = f"/v1/triggers/{trigger['id']}"
    trial = stage.api("POST", f"{path}/test", {"event": {"data": {"host": "db1"}}}).json
    assert trial["matched"]
    assert not trial["would_run"]
    assert "Workflow not found" in trial["problem"]
    assert send(stage, name).json["firings"][0]["outcome"] == "retrying"
    dead = once(stage, trigger, "dead")
    assert dead["attempts"] == 2
    assert dead["reason"].startswith("workflow_refused: ")
    stage.define(WORKFLOW.format(name=name))
    trial = stage.api("POST", f"{path}/test", {"event": {"data": {"host": "db1"}}}).json
    assert trial["would_run"], trial
    redriven = stage.api("POST", f"{path}/firings/{dead['id']}/redrive")
    assert redriven.status == 202, redriven.body
    fired = once(stage, trigger, "fired")
    assert stage.end(fired["execution_id"])["state"] == "SUCCESS"


def test_an_event_that_comes_while_mistral_is_away_is_kept(stage: Stage, name: str) -> None:
    """Answered as usual, since not everybody sends an event twice; not even an attempt is lost."""
    trigger = made(stage, name, retry={"attempts": 1, "interval": 1})
    stage.mistral.pause()
    try:
        assert send(stage, name).json["firings"][0]["outcome"] == "retrying"
        told = firing(stage, trigger)
        assert told["reason"].startswith("mistral_unavailable: ")
    finally:
        stage.mistral.resume()
    fired = once(stage, trigger, "fired")
    assert fired["attempts"] == 1
    # What Mistral was asked while it stood still it may have done since: all the same one.
    assert [each["id"] for each in executions(stage, name)] == [fired["execution_id"]]


def test_kill_9_between_the_start_and_its_record(stage: Stage, name: str) -> None:
    trigger = made(stage, name)
    stage.mistral.pause()
    try:
        lost = threading.Thread(target=_unheard, args=(stage, name))
        lost.start()
        until(lambda: asked(stage.mistral.port), 30, "Mistral to be asked")
        stage.funcflow.kill()
        lost.join()
    finally:
        stage.mistral.resume()
    stage.funcflow.start()
    send(stage, name)
    done = once(stage, trigger, "fired")
    assert [each["id"] for each in executions(stage, name)] == [done["execution_id"]]


def asked(port: int) -> bool:
    """Whether somebody has a connection to the port."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(row[2].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


def _unheard(stage: Stage, name: str) -> None:
    try:
        send(stage, name)
    except OSError:
        return


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"target": {"workflow": "w", "function": "f"}}, "bad_target"),
        ({"target": {"workflow": "w", "version": 3}}, "bad_target"),
        ({"target": {"workflow": "a b"}}, "bad_target"),
        ({"target": {"workflow": "w"}, "identity": {"as": "none"}}, "bad_identity"),
    ],
)
def test_what_is_no_target(stage: Stage, fields: dict[str, Any], code: str) -> None:
    answer = stage.api("POST", "/v1/triggers", {"source": {"type": "cloudevent"}, **fields})
    assert answer.code == code, answer.body


def test_an_input_that_is_no_object_is_a_dead_letter(stage: Stage, name: str) -> None:
    made(stage, name, input="<% $event.data.host %>")
    (done,) = send(stage, name).json["firings"]
    assert (done["outcome"], done["reason"]) == (
        "dead", "the input of a workflow must be an object",
    )  # fmt: skip


def test_an_alarm_of_aodh_starts_the_workflow_that_heals(stage: Stage) -> None:
    """The whole way: Aodh posts, a trigger starts the workbook's workflow, functions do it."""
    test_examples.prepared(stage)
    told = {
        "source": {"type": "aodh", "states": ["alarm"]},
        "target": {"workflow": "self_healing.heal"},
        "input": {"alarm": "<% $event.data %>"},
    }
    trigger = stage.api("POST", "/v1/triggers", told).json
    address = trigger["url"].removeprefix(stage.funcflow.url)
    answer = stage.api("POST", address, test_examples.ALARM)
    assert answer.status == 202, answer.body
    ended = stage.end(answer.json["execution_id"])
    assert ended["state"] == "SUCCESS", ended
    assert ended["output"] == {"server": "vm-7", "did": "reboot vm-7"}
    # The functions ran in the trace of the alarm.
    with contextlib.closing(sqlite3.connect(stage.funcflow.database)) as connection:
        query = "SELECT traceparent FROM executions ORDER BY created_at DESC LIMIT 2"
        traces = [row[0].split("-")[1] for row in connection.execute(query)]
    assert traces == [firing(stage, trigger)["traceparent"].split("-")[1]] * 2
