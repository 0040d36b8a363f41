"""Task tokens over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.client import Answer, Api
from tests.api.test_composition_executions import ended, start, tell
from tests.api.test_compositions import create
from tests.waiting import until


@pytest.fixture
def waiting(api: Api, hello: str, unique: str) -> tuple[str, str]:
    """An execution that waits for its token, and the token."""
    return begin(api, hello, unique)


def begin(api: Api, hello: str, unique: str, **fields: Any) -> tuple[str, str]:
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {"FunctionName": hello, "Payload": {"name.$": "$$.Task.Token"}},
        "Next": "Then",
        **fields,
    }
    states = {"Ask": task, "Then": {"Type": "Pass", "End": True}}
    create(api, unique, {"StartAt": "Ask", "States": states})
    execution = start(api, unique)["id"]
    return execution, token_of(api, execution)


def token_of(api: Api, execution: str) -> str:
    def submitted() -> str | None:
        told = api("GET", f"/v1/compositions/-/executions/{execution}/history").json["events"]
        if not told or told[-1]["type"] != "TaskSubmitted":
            return None
        (scheduled,) = [event for event in told if event["type"] == "TaskScheduled"]
        parameters = scheduled["taskScheduledEventDetails"]["parameters"]
        return str(json.loads(parameters)["Payload"]["name"])

    return until(submitted, 30, "the token")  # type: ignore[return-value]


def send(api: Api, token: str, what: str, body: Any = None) -> Answer:
    return api("POST", f"/v1/task-tokens/{token}/{what}", body)


@pytest.mark.parametrize(
    ("output", "meant"),
    [({"paid": True}, {"paid": True}), ('{"paid": true}', {"paid": True}), ("yes", "yes"),
     (None, None)],
)  # fmt: skip
def test_success(api: Api, waiting: tuple[str, str], output: Any, meant: Any) -> None:
    execution, token = waiting
    answer = send(api, token, "success", {"output": output})
    assert (answer.status, answer.json) == (200, {})
    assert ended(api, execution)["output"] == meant
    again = send(api, token, "success", {"output": 1})
    assert (again.status, again.code) == (409, "task_over")


def test_failure(api: Api, waiting: tuple[str, str]) -> None:
    execution, token = waiting
    assert send(api, token, "failure", {"error": "Refused", "cause": "no money"}).status == 200
    row = ended(api, execution)
    assert (row["status"], row["error"], row["cause"]) == ("FAILED", "Refused", "no money")
    assert send(api, token, "heartbeat").code == "task_over"


def test_a_task_without_heartbeats_times_out(api: Api, hello: str, unique: str) -> None:
    execution, token = begin(api, hello, unique, HeartbeatSeconds=2)
    assert send(api, token, "heartbeat").json == {}
    row = ended(api, execution)
    assert (row["status"], row["error"]) == ("FAILED", "States.Timeout")
    assert send(api, token, "heartbeat").status == 409


def test_a_stopped_execution_waits_for_nobody(api: Api, waiting: tuple[str, str]) -> None:
    execution, token = waiting
    assert tell(api, execution, "stop").status == 200
    assert send(api, token, "success", {"output": 1}).code == "task_over"


def test_what_is_no_token(api: Api, waiting: tuple[str, str]) -> None:
    execution, token = waiting
    key, number, secret = token.split(".")
    for wrong in ("x", f"{key}.{number}.{secret[::-1]}", f"{'0' * 32}.{number}.{secret}",
                  f"{key}.{number}", f"{key}.{number}.{secret}x"):  # fmt: skip
        for what in ("success", "failure", "heartbeat"):
            answer = send(api, wrong, what)
            assert (answer.status, answer.code) == (404, "no_task"), wrong
    assert send(api, f"{key}.99.{secret}", "success").code == "task_over"
    assert api("GET", f"/v1/compositions/-/executions/{execution}").json["status"] == "RUNNING"
    assert tell(api, execution, "stop").status == 200


def test_an_output_has_an_end(api: Api, waiting: tuple[str, str]) -> None:
    execution, token = waiting
    answer = send(api, token, "success", {"output": "x" * 262_143})
    assert (answer.status, answer.code) == (413, "input_too_large")
    assert send(api, token, "success", {"output": "x" * 262_142}).status == 200
    assert ended(api, execution)["status"] == "SUCCEEDED"


def test_a_task_is_paused_with_its_execution(api: Api, waiting: tuple[str, str]) -> None:
    """What is answered meanwhile is not lost."""
    execution, token = waiting
    assert tell(api, execution, "pause").json["paused"]
    assert send(api, token, "success", {"output": 5}).status == 200
    path = f"/v1/compositions/-/executions/{execution}"

    def answered() -> bool:
        told = api("GET", f"{path}/history?reverse=true&limit=1").json["events"]
        return bool(told[0]["type"] == "TaskStateExited")

    until(answered, 30, "the answer")
    assert api("GET", path).json["status"] == "RUNNING"
    assert tell(api, execution, "resume").status == 200
    assert ended(api, execution)["output"] == 5
