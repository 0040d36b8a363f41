"""Executions of compositions over HTTP: started, looked at, told things, deleted."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.client import Answer, Api
from tests.api.test_compositions import create
from tests.waiting import until

ECHO = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
LONG = {
    "StartAt": "Rest",
    "States": {
        "Rest": {"Type": "Wait", "Seconds": 600, "Next": "End"},
        "End": {"Type": "Pass", "Result": "over", "End": True},
    },
}
BROKEN = {"StartAt": "A", "States": {"A": {"Type": "Fail", "Error": "Boom", "Cause": "so"}}}


def start(api: Api, composition: str, **body: Any) -> dict[str, Any]:
    answer = api("POST", f"/v1/compositions/{composition}/executions", body)
    assert answer.status == 201, answer.body
    begun: dict[str, Any] = answer.json
    return begun


def run(api: Api, composition: str, input: Any = None, **body: Any) -> dict[str, Any]:
    given = {} if input is None else {"input": input}
    return start(api, composition, sync=True, **given, **body)


def seen(api: Api, execution: str, what: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The execution once it is so."""
    path = f"/v1/compositions/-/executions/{execution}"

    def look() -> dict[str, Any] | None:
        row: dict[str, Any] = api("GET", path).json
        return row if what(row) else None

    return until(look, 30, f"execution {execution}")  # type: ignore[return-value]


def ended(api: Api, execution: str) -> dict[str, Any]:
    return seen(api, execution, lambda row: row["status"] != "RUNNING")


def tell(api: Api, execution: str, action: str, body: Any = None) -> Answer:
    return api("POST", f"/v1/compositions/-/executions/{execution}/{action}", body)


def test_a_synchronous_start_gives_the_outcome(api: Api, hello: str, unique: str) -> None:
    task = {"Type": "Task", "Resource": hello, "End": True}
    create(api, unique, {"StartAt": "A", "States": {"A": task}})
    ran = run(api, unique, {"name": "Ada"})
    assert (ran["status"], ran["state"]) == ("SUCCEEDED", "succeeded")
    assert ran["input"] == {"name": "Ada"}
    assert ran["output"] == {"hello": "Ada", "rest": {}}
    assert ran["created_at"] <= ran["started_at"] <= ran["stopped_at"]
    path = f"/v1/compositions/{unique}/executions/{ran['id']}"
    assert api("GET", path).json == ran


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"a": [1, None]}, {"a": [1, None]}),
        ('{"a": 1}', {"a": 1}),
        ("plain text", "plain text"),
        ('"quoted"', "quoted"),
        (None, None),
        (0, 0),
        ([], []),
        ("{broken", "{broken"),
        ("Zoë 漢", "Zoë 漢"),
    ],
)
def test_inputs_may_be_values_or_json_text(api: Api, unique: str, given: Any, meant: Any) -> None:
    create(api, unique, ECHO)
    ran = start(api, unique, sync=True, input=given)
    assert (ran["input"], ran["output"]) == (meant, meant)


def test_without_an_input_it_is_an_empty_object(api: Api, unique: str) -> None:
    create(api, unique, ECHO)
    assert run(api, unique)["output"] == {}


def test_the_limit_of_an_input(api: Api, unique: str) -> None:
    create(api, unique, ECHO)
    path = f"/v1/compositions/{unique}/executions"
    assert run(api, unique, "x" * (256 * 1024 - 2))["status"] == "SUCCEEDED"
    answer = api("POST", path, {"input": "x" * (256 * 1024 - 1)})
    assert (answer.status, answer.code) == (413, "input_too_large")
    assert len(api("GET", path).json["composition_executions"]) == 1


def test_a_failure_says_why(api: Api, unique: str) -> None:
    create(api, unique, BROKEN)
    ran = run(api, unique)
    assert (ran["status"], ran["error"], ran["cause"]) == ("FAILED", "Boom", "so")


def test_an_express_execution(api: Api, unique: str) -> None:
    create(api, unique, ECHO, type="EXPRESS")
    ran = run(api, unique, [1])
    assert (ran["type"], ran["status"], ran["output"]) == ("EXPRESS", "SUCCEEDED", [1])


def test_a_wait_that_ends_first_is_a_202(api: Api, unique: str) -> None:
    create(api, unique, LONG)
    path = f"/v1/compositions/{unique}/executions"
    answer = api("POST", path, {"sync": True}, headers={"Prefer": "wait=0"})
    assert (answer.status, answer.json["status"]) == (202, "RUNNING")
    assert answer.headers["Location"].endswith(f"/executions/{answer.json['id']}")
    assert tell(api, answer.json["id"], "stop").status == 200


def test_a_name_is_used_once(api: Api, unique: str) -> None:
    """Sent again with the same input it gives the same execution, even after its end."""
    create(api, unique, ECHO)
    first = start(api, unique, name="order-1", input={"a": 1})
    path = f"/v1/compositions/{unique}/executions"
    again = api("POST", path, {"name": "order-1", "input": '{ "a": 1 }', "sync": True})
    assert (again.status, again.json["id"]) == (200, first["id"])
    assert again.json["status"] == "SUCCEEDED"
    other = api("POST", path, {"name": "order-1", "input": {"a": 2}})
    assert (other.status, other.code) == (409, "execution_exists")
    create(api, f"{unique}-2", ECHO)
    assert start(api, f"{unique}-2", name="order-1")["id"] != first["id"]


@pytest.mark.parametrize("name", ["a b", "a/b", "x" * 81, "", "a?b", "a#b", "a\tb"])
def test_names_that_cannot_be(api: Api, unique: str, name: str) -> None:
    create(api, unique, ECHO)
    assert api("POST", f"/v1/compositions/{unique}/executions", {"name": name}).status == 400


def test_what_is_not_there(api: Api, unique: str) -> None:
    create(api, unique, ECHO)
    create(api, f"{unique}-2", ECHO)
    assert api("POST", f"/v1/compositions/no-{unique}/executions", {}).status == 404
    assert api("POST", "/v1/compositions/-/executions", {}).status == 404
    ran = run(api, unique)
    below = f"executions/{ran['id']}"
    others = [f"{ref}/{below}" for ref in (f"{unique}-2", f"no-{unique}", uuid.uuid4())]
    for path in (*others, f"-/executions/{uuid.uuid4()}"):
        assert api("GET", f"/v1/compositions/{path}").status == 404, path
    assert api("GET", f"/v1/compositions/{unique}/executions/x").code == "bad_id"


def test_lists_of_one_composition_and_of_all(api: Api, unique: str) -> None:
    create(api, unique, ECHO)
    create(api, f"{unique}-bad", BROKEN)
    ids = [run(api, unique, name=f"n-{number}")["id"] for number in range(3)]
    bad = run(api, f"{unique}-bad")["id"]
    path = f"/v1/compositions/{unique}/executions"
    page = api("GET", f"{path}?limit=2").json
    assert [row["id"] for row in page["composition_executions"]] == ids[:2]
    assert not {"input", "output"} & page["composition_executions"][0].keys()
    rest = api("GET", page["next"].removeprefix(api.url)).json["composition_executions"]
    assert [row["id"] for row in rest] == ids[2:]
    newest = api("GET", f"{path}?sort=stopped_at:desc&limit=1&name=n-2").json
    assert newest["composition_executions"][0]["id"] == ids[2]
    assert api("GET", f"{path}?status=FAILED").json["composition_executions"] == []
    found = api("GET", "/v1/compositions/-/executions?status=FAILED&error=Boom").json
    assert bad in [row["id"] for row in found["composition_executions"]]
    assert api("GET", f"{path}?status=BROKEN").status == 400
    assert api("GET", f"{path}?stopped_at=gt:2020-01-01T00:00:00Z&limit=1").status == 200


def test_stop_aborts_what_waits(api: Api, unique: str) -> None:
    create(api, unique, LONG)
    execution = start(api, unique)["id"]
    seen(api, execution, lambda row: row["state"] == "waiting")
    answer = tell(api, execution, "stop", {"error": "Cancelled", "cause": "no longer wanted"})
    assert answer.status == 200
    assert (answer.json["status"], answer.json["error"]) == ("ABORTED", "Cancelled")
    assert answer.json["cause"] == "no longer wanted"
    again = tell(api, execution, "stop")
    assert (again.status, again.code) == (409, "already_settled")


def test_pause_and_resume(api: Api, unique: str, hello: str) -> None:
    """While it is paused it enters no state; a result that comes meanwhile is taken."""
    slow = api.function("import time\ndef main():\n    time.sleep(1)\n    return 7\n", timeout=10)
    states = {
        "A": {"Type": "Task", "Resource": slow["id"], "Next": "B"},
        "B": {"Type": "Pass", "End": True},
    }
    create(api, unique, {"StartAt": "A", "States": states})
    execution = start(api, unique)["id"]
    paused = tell(api, execution, "pause")
    assert (paused.status, paused.json["paused"]) == (200, True)
    assert paused.json["status"] == "RUNNING"
    path = f"/v1/compositions/-/executions/{execution}"

    def entered() -> list[str]:
        events = api("GET", f"{path}/history").json["events"]
        return [event["type"] for event in events]

    until(lambda: "TaskStateExited" in entered(), 30, "the result")
    assert "PassStateEntered" not in entered()
    assert api("GET", path).json["status"] == "RUNNING"
    resumed = tell(api, execution, "resume")
    assert (resumed.status, resumed.json["paused"]) == (200, False)
    assert ended(api, execution)["output"] == 7
    assert tell(api, execution, "pause").code == "already_settled"
    assert tell(api, execution, "resume").code == "already_settled"


def test_redrive_goes_on_where_it_failed(api: Api, unique: str) -> None:
    """The function is mended in between; what went before is not done again."""
    name = f"mend-{unique}"
    broken = "def main(**rest):\n    raise RuntimeError('not yet')\n"
    api.function(broken, name=name)
    states = {
        "First": {"Type": "Pass", "Result": {"at": 1}, "Next": "Then"},
        "Then": {"Type": "Task", "Resource": name, "End": True},
    }
    create(api, unique, {"StartAt": "First", "States": states})
    failed = run(api, unique)
    assert (failed["status"], failed["error"]) == ("FAILED", "RuntimeError")
    mended = "def main(**rest):\n    return 'mended'\n"
    assert api("PATCH", f"/v1/functions/{name}", {"source": mended}).status == 200
    answer = tell(api, failed["id"], "redrive")
    assert answer.status == 202
    after = ended(api, failed["id"])
    assert (after["status"], after["output"], after["redrive_count"]) == ("SUCCEEDED", "mended", 1)
    history = api("GET", f"/v1/compositions/-/executions/{failed['id']}/history").json["events"]
    types = [event["type"] for event in history]
    assert types.count("PassStateEntered") == 1
    assert "ExecutionRedriven" in types
    again = tell(api, failed["id"], "redrive")
    assert (again.status, again.code) == (409, "not_redrivable")


def test_what_cannot_be_redriven(api: Api, unique: str) -> None:
    create(api, unique, BROKEN, type="EXPRESS")
    assert tell(api, run(api, unique)["id"], "redrive").code == "not_redrivable"
    create(api, f"{unique}-2", LONG)
    running = start(api, f"{unique}-2")["id"]
    assert tell(api, running, "redrive").code == "not_redrivable"
    assert tell(api, running, "stop").status == 200
    assert tell(api, running, "redrive").status == 202
    assert tell(api, running, "stop").status == 200


def test_the_children_of_a_distributed_map(api: Api, unique: str) -> None:
    """They are executions of their own, listed by their Map Run and redriven by the whole."""
    choice = {"Type": "Choice", "Choices": [
        {"Variable": "$", "NumericEquals": 2, "Next": "Bad"}], "Default": "Good"}  # fmt: skip
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Look",
        "States": {"Look": choice, "Bad": {"Type": "Fail", "Error": "Odd"},
                   "Good": {"Type": "Pass", "End": True}},
    }  # fmt: skip
    each = {"Type": "Map", "ItemProcessor": processor, "ToleratedFailureCount": 1, "End": True}
    create(api, unique, {"StartAt": "Each", "States": {"Each": each}})
    ran = run(api, unique, [1, 2, 3])
    assert ran["status"] == "SUCCEEDED"
    path = f"/v1/compositions/{unique}/executions"
    listed = api("GET", path).json["composition_executions"]
    assert [row["id"] for row in listed] == [ran["id"]]
    events = api("GET", f"{path}/{ran['id']}/history").json["events"]
    (begun,) = [event for event in events if event["type"] == "MapRunStarted"]
    map_run = begun["mapRunStartedEventDetails"]["mapRunArn"]
    query = f"map_run={map_run}&parent_id={ran['id']}"
    children = api("GET", f"{path}?{query}").json["composition_executions"]
    states = {row["map_index"]: row["status"] for row in children}
    assert states == {0: "SUCCEEDED", 1: "FAILED", 2: "SUCCEEDED"}
    assert {(row["parent_id"], row["map_state"]) for row in children} == {(ran["id"], "Each")}
    (failed,) = [row["id"] for row in children if row["status"] == "FAILED"]
    refused = tell(api, failed, "redrive")
    assert (refused.status, refused.code) == (409, "not_redrivable")
    assert ran["id"] in refused.json["error"]["hint"]
    drawing = api("GET", f"{path}/{ran['id']}/drawing?format=mermaid").text
    assert "2✓ 1✗" in drawing


def test_deleting(api: Api, unique: str) -> None:
    create(api, unique, LONG)
    execution = start(api, unique)["id"]
    path = f"/v1/compositions/{unique}/executions/{execution}"
    refused = api("DELETE", path)
    assert (refused.status, refused.code) == (409, "not_settled")
    assert tell(api, execution, "stop").status == 200
    assert api("DELETE", path).status == 204
    assert api("GET", path).status == 404
    assert api("DELETE", path).status == 404


def test_it_goes_on_when_its_composition_is_deleted(api: Api, unique: str) -> None:
    made = create(api, unique, LONG)
    execution = start(api, unique)["id"]
    assert api("DELETE", f"/v1/compositions/{unique}").status == 204
    path = f"/v1/compositions/{made['id']}/executions/{execution}"
    assert api("GET", path).json["status"] == "RUNNING"
    assert api("POST", f"{path}/stop").json["status"] == "ABORTED"
    assert api("GET", f"{path}/history").status == 200
    assert api("DELETE", path).status == 204
