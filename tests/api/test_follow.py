"""Following logs: the stream by itself, then over HTTP."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from funcflow import errors, models, states
from funcflow.api import follow
from funcflow.api.waiting import Slots
from funcflow.cmd import up
from tests.api.client import Answer, Api
from tests.waiting import until

RUNNING, DONE = states.State.RUNNING, states.State.SUCCEEDED


def chunk(seq: int, text: str) -> models.LogChunk:
    return models.LogChunk("stdout", text, 1.5, seq)


def silent(after: int) -> follow.Seen:
    return follow.printed(RUNNING, [])


def test_pieces_then_the_end() -> None:
    """Each look asks for what came after the last; the end tells the state."""
    looks = [(RUNNING, [chunk(0, "a\n")]), (RUNNING, []), (DONE, [chunk(4, "b\nc")])]
    asked: list[int] = []

    def look(after: int) -> follow.Seen:
        asked.append(after)
        return follow.printed(*looks[len(asked) - 1])

    text = b"".join(follow.Follower(look, -1, Slots(1))).decode()
    assert asked == [-1, 0, 0]
    retry, first, second, end, rest = text.split("\n\n")
    assert (retry, rest) == ("retry: 500", "")
    assert first.splitlines()[:2] == ["id: 0", "event: log"]
    data = second.splitlines()[2].removeprefix("data: ")
    assert json.loads(data) == {"stream": "stdout", "text": "b\nc", "at": 1.5}
    assert end == 'event: end\ndata: {"state": "succeeded", "status": "success"}'


def test_the_place_is_given_back_once() -> None:
    """Also when nobody ever read, and when the server closes twice."""
    slots = Slots(1)
    unread = follow.Follower(silent, -1, slots)
    with pytest.raises(errors.TooMany):
        follow.Follower(silent, -1, slots)
    unread.close()
    unread.close()
    half = follow.Follower(
        lambda after: follow.printed(RUNNING, [chunk(after + 1, "x")]), -1, slots
    )
    assert [next(half), next(half)][1].startswith(b"id: 0")
    half.close()
    slots.take()


def test_silence_is_filled_and_life_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comments show that somebody is there; in the end the client opens the stream again."""
    monkeypatch.setattr(follow, "HEARTBEAT", 0.0)
    monkeypatch.setattr(follow, "POLL", 0.001)
    monkeypatch.setattr(follow, "LIFETIME", 0.05)
    stream = list(follow.Follower(silent, -1, Slots(1)))
    assert stream[1] == b": still there\n\n"
    assert b"end" not in stream[-1]


def test_it_stops_with_the_server_and_with_the_database() -> None:
    """Without an end event, so that the client comes again."""
    slots = Slots(1)
    slots.stopping.set()
    assert list(follow.Follower(silent, -1, slots)) == [b"retry: 500\n\n"]

    def away(after: int) -> follow.Seen:
        raise errors.Unavailable("away")

    assert list(follow.Follower(away, -1, Slots(1))) == [b"retry: 500\n\n"]


def start(api: Api, source: str, value: Any) -> str:
    """Id of an execution that was just accepted."""
    function_id = api.function(source, timeout=30)["id"]
    body = {"function_id": function_id, "input": value, "sync": False}
    return str(api("POST", "/v1/executions", body).json["id"])


def events(text: str) -> list[tuple[str, str, Any]]:
    """(event, id, data) of a stream."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in lines:
            found.append((lines["event"], lines.get("id", ""), json.loads(lines["data"])))
    return found


def followed(api: Api, execution_id: str, after: str | None = None) -> Answer:
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": after} if after else {})
    return api("GET", f"/v1/executions/{execution_id}/log", headers=headers)


COUNT = """
import time

def main(to):
    for number in range(to):
        print("line", number, flush=True)
        time.sleep(0.3)
"""


def test_following_a_log(api: Api) -> None:
    """Pieces arrive in order while it runs, then its end; a cut stream goes on where it was."""
    execution_id = start(api, COUNT, {"to": 4})
    answer = followed(api, execution_id)
    assert answer.headers["Content-Type"] == "text/event-stream"
    *pieces, (name, _, end) = events(answer.text)
    assert "".join(data["text"] for _, _, data in pieces) == "".join(
        f"line {n}\n" for n in range(4)
    )
    assert {name for name, _, _ in pieces} == {"log"}
    assert {data["stream"] for _, _, data in pieces} == {"stdout"}
    assert (name, end) == ("end", {"state": "succeeded", "status": "success"})
    assert len(pieces) > 1, "it was followed, not read at the end"
    rest = events(followed(api, execution_id, pieces[0][1]).text)
    assert rest == [*pieces[1:], ("end", "", end)]


def test_a_bad_place_in_a_log(api: Api, hello: str) -> None:
    """Last-Event-ID must be one of ours."""
    execution_id = api.run(hello)["id"]
    assert followed(api, execution_id, "seven").status == 400
    assert api("GET", f"/v1/executions/{execution_id}/log?follow=perhaps").status == 400
    assert api("GET", f"/v1/executions/{execution_id}/log?follow=true").status == 200


def test_a_server_that_goes_down_lets_its_followers_go(tmp_path: Path) -> None:
    """Before it waits for running functions; no end is told that was not seen."""
    server = up.Server(up.load(up.Options(port=0, data_dir=str(tmp_path))))
    try:
        api = Api(server.url)
        execution_id = start(api, COUNT, {"to": 6})
        answers: list[Answer] = []
        follower = threading.Thread(target=lambda: answers.append(followed(api, execution_id)))
        path = f"/v1/executions/{execution_id}"
        until(lambda: api("GET", path).json["state"] == "running", what="the run")
        follower.start()
        counted = 'funcflow_api_request_seconds_count{operation="executions.log",status="200"}'
        until(lambda: counted in api("GET", "/metrics").text, what="the follower")
    finally:
        server.stop()
    follower.join()
    assert "end" not in [name for name, _, _ in events(answers[0].text)]
