"""The history of an execution over HTTP: page by page, followed, and as pictures."""

from __future__ import annotations

import json
import threading
from typing import Any
from xml.etree import ElementTree

from tests.api.client import Answer, Api
from tests.api.test_composition_executions import BROKEN, ECHO, LONG, run, seen, start, tell
from tests.api.test_compositions import create
from tests.api.test_follow import events

SVG = "{http://www.w3.org/2000/svg}"
RETRIED = {
    "StartAt": "A",
    "States": {
        "A": {
            "Type": "Task",
            "Resource": "no-such-function",
            "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}],
            "Next": "C",
        },
        "B": {"Type": "Pass", "End": True},
        "C": {"Type": "Pass", "End": True},
    },
}


def path_of(execution: dict[str, Any]) -> str:
    return f"/v1/compositions/{execution['composition_id']}/executions/{execution['id']}"


def test_events_have_awss_types_and_shape(api: Api, unique: str) -> None:
    create(api, unique, ECHO)
    ran = run(api, unique, {"a": 1})
    told = api("GET", f"{path_of(ran)}/history").json["events"]
    assert [(event["id"], event["previousEventId"], event["type"]) for event in told] == [
        (1, 0, "ExecutionStarted"),
        (2, 0, "PassStateEntered"),
        (3, 2, "PassStateExited"),
        (4, 3, "ExecutionSucceeded"),
    ]
    assert told[1]["stateEnteredEventDetails"] == {
        "name": "A", "input": '{"a":1}', "inputDetails": {"truncated": False}
    }  # fmt: skip
    brief = api("GET", f"{path_of(ran)}/history?payloads=false").json["events"]
    assert brief[1]["stateEnteredEventDetails"] == {"name": "A"}


def test_pages_forth_and_back(api: Api, unique: str) -> None:
    states = {f"S{n}": {"Type": "Pass", "Next": f"S{n + 1}"} for n in range(20)}
    states["S20"] = {"Type": "Pass", "End": True}  # type: ignore[dict-item]
    create(api, unique, {"StartAt": "S0", "States": states})
    path = f"{path_of(run(api, unique))}/history"
    whole = [event["id"] for event in api("GET", path).json["events"]]
    assert whole == list(range(1, 45))
    for query, wanted in (("limit=7", whole), ("limit=7&reverse=true", whole[::-1])):
        found: list[int] = []
        following: str | None = f"{path}?{query}"
        while following:
            page = api("GET", following).json
            found += [event["id"] for event in page["events"]]
            following = page.get("next", "").removeprefix(api.url)
        assert found == wanted
    assert [e["id"] for e in api("GET", f"{path}?marker=42").json["events"]] == [43, 44]
    assert api("GET", f"{path}?marker=99").json["events"] == []
    assert api("GET", f"{path}?marker=x").status == 400
    assert api("GET", f"{path}?limit=0").status == 400


def test_express_keeps_none(api: Api, unique: str) -> None:
    create(api, unique, ECHO, type="EXPRESS")
    path = path_of(run(api, unique))
    for below in ("history", "history?follow=true", "drawing", "timeline"):
        answer = api("GET", f"{path}/{below}")
        assert (answer.status, answer.code) == (409, "no_history"), below


def test_following_until_the_end(api: Api, unique: str) -> None:
    create(api, unique, LONG)
    execution = start(api, unique)
    answers: list[Answer] = []
    url = f"{path_of(execution)}/history"
    stream = {"Accept": "text/event-stream"}
    follower = threading.Thread(target=lambda: answers.append(api("GET", url, headers=stream)))
    follower.start()
    seen(api, execution["id"], lambda row: row["state"] == "waiting")
    assert tell(api, execution["id"], "stop", {"error": "Enough"}).status == 200
    follower.join()
    *told, (name, _, end) = events(answers[0].text)
    assert {each for each, _, _ in told} == {"history"}
    assert [data["type"] for _, _, data in told] == [
        "ExecutionStarted", "WaitStateEntered", "ExecutionAborted"
    ]  # fmt: skip
    assert [int(place) for _, place, _ in told] == [1, 2, 3]
    assert (name, end["status"], end["error"]) == ("end", "ABORTED", "Enough")
    rest = api("GET", f"{url}?payloads=false", headers={**stream, "Last-Event-ID": "2"})
    assert [data.get("type") for _, _, data in events(rest.text)] == ["ExecutionAborted", None]
    assert api("GET", url, headers={**stream, "Last-Event-ID": "two"}).code == "bad_event_id"


def test_a_redriven_execution_goes_on_in_the_same_history(api: Api, unique: str) -> None:
    create(api, unique, BROKEN)
    ran = run(api, unique)
    before = api("GET", f"{path_of(ran)}/history").json["events"]
    assert tell(api, ran["id"], "redrive").status == 202
    seen(api, ran["id"], lambda row: row["redrive_count"] == 1 and row["status"] == "FAILED")
    after = api("GET", f"{path_of(ran)}/history").json["events"]
    assert after[: len(before)] == before
    assert [event["type"] for event in after[len(before) :]] == [
        "ExecutionRedriven", "ExecutionFailed"
    ]  # fmt: skip


def test_pictures_of_an_execution(api: Api, unique: str) -> None:
    create(api, unique, RETRIED)
    ran = run(api, unique)
    drawing = api("GET", f"{path_of(ran)}/drawing")
    assert drawing.headers["Content-Type"] == "image/svg+xml"
    root = ElementTree.fromstring(drawing.text)
    told = [group.findtext(f"{SVG}title") or "" for group in root.iter(f"{SVG}g")]
    (failed,) = [each for each in told if each.startswith("A: Task")]
    assert "caught" in failed
    assert "2 tries" in failed
    assert "Lambda.ResourceNotFoundException" in failed
    assert "C: Pass" in told, "where it has not been is drawn as well"
    assert "class n3" not in api("GET", f"{path_of(ran)}/drawing?format=mermaid").text
    timeline = api("GET", f"{path_of(ran)}/timeline")
    titles = [t.text for t in ElementTree.fromstring(timeline.text).iter(f"{SVG}title")]
    assert len(titles) == 3, "the picture, and the two states it was in"
    assert api("GET", f"{path_of(ran)}/drawing?format=png").status == 400


def test_pictures_of_what_still_runs(api: Api, unique: str) -> None:
    create(api, unique, LONG)
    execution = start(api, unique)
    seen(api, execution["id"], lambda row: row["state"] == "waiting")
    drawing = api("GET", f"{path_of(execution)}/drawing").text
    assert "box-running" in drawing
    assert "box-running" in api("GET", f"{path_of(execution)}/timeline").text
    assert tell(api, execution["id"], "stop").status == 200
    assert "box-aborted" in api("GET", f"{path_of(execution)}/drawing").text


def test_details_without_payloads_are_json_all_the_same(api: Api, unique: str) -> None:
    create(api, unique, ECHO)
    stream = {"Accept": "text/event-stream"}
    answer = api("GET", f"{path_of(run(api, unique))}/history?payloads=false", headers=stream)
    for _, _, data in events(answer.text):
        assert "input" not in json.dumps(data)
