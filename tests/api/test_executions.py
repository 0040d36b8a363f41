"""Running functions over HTTP."""

from __future__ import annotations

import http.client
import json
import re
import urllib.parse
import uuid
from typing import Any

import pytest

from tests.api.client import Api
from tests.waiting import until

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
SLEEP = """
import time

def main(seconds):
    print("sleeping", seconds, flush=True)
    time.sleep(seconds)
    return seconds
"""
FAIL = """
def main(**rest):
    print("about to fail")
    raise ValueError("no good")
"""
ECHO = """
def main(*args, **kwargs):
    return {"args": args, "kwargs": kwargs}
"""


@pytest.fixture(scope="session")
def sleeper(api: Api) -> str:
    """Id of a function that sleeps for as long as it is told."""
    return str(api.function(SLEEP, timeout=30)["id"])


@pytest.fixture(scope="session")
def failing(api: Api) -> str:
    """Id of a function that raises."""
    return str(api.function(FAIL, timeout=30)["id"])


@pytest.fixture(scope="session")
def echo(api: Api) -> str:
    """Id of a function that returns its arguments."""
    return str(api.function(ECHO, timeout=30)["id"])


def settled(api: Api, execution_id: str) -> dict[str, Any]:
    """The execution once it is over."""

    def look() -> Any:
        found = api("GET", f"/v1/executions/{execution_id}").json
        return found if found["state"] not in ("queued", "running") else None

    found: dict[str, Any] = until(look, timeout=30, what="the end of the execution")
    return found


def test_a_synchronous_run(api: Api, hello: str) -> None:
    """201 with Qinling's fields and types, and ours beside them."""
    answer = api("POST", "/v1/executions", {"function_id": hello, "input": '{"name": "you"}'})
    assert answer.status == 201
    execution = answer.json
    assert answer.headers["Location"].endswith(f"/v1/executions/{execution['id']}")
    assert execution["status"] == "success"
    assert execution["input"] == '{"name": "you"}'
    result = json.loads(execution["result"])
    assert result["output"] == {"hello": "you", "rest": {}}
    assert isinstance(result["duration"], float)
    assert (execution["sync"], execution["function_version"]) == (True, 0)
    assert (execution["function_alias"], execution["project_id"]) == (None, "default")
    assert TIME.fullmatch(execution["created_at"])
    assert TIME.fullmatch(execution["finished_at"])
    assert (execution["state"], execution["attempts"]) == ("succeeded", 1)
    assert execution["usage"]["worker"]
    assert execution["usage"]["memory_peak"] > 0
    assert api("GET", f"/v1/executions/{execution['id']}").json == execution


def test_a_failed_function_is_a_created_execution(api: Api, failing: str) -> None:
    """201 with status failed; the result tells why, the log what was printed."""
    execution = api.run(failing)
    assert (execution["status"], execution["state"]) == ("failed", "failed")
    result = json.loads(execution["result"])
    assert "no good" in result["output"]
    assert result["error"] == execution["error"]
    assert execution["error"]["type"] == "ValueError"
    assert "about to fail" in api("GET", f"/v1/executions/{execution['id']}/log").text


def test_messages_that_existing_clients_look_for(api: Api) -> None:
    """The words of Qinling for a run that took too long, too much memory or too many files."""
    endless = api.function("def main():\n    while True: pass\n", timeout=1)["id"]
    assert "Function execution timeout" in json.loads(api.run(endless)["result"])["output"]
    hog = "def main():\n    return len(bytearray(10**9))\n"
    told = json.loads(api.run(api.function(hog, timeout=20)["id"])["result"])["output"]
    assert told.count("Function execution failed because of too much resource consumption") == 1
    greedy = "def main():\n    return [open('/dev/null') for _ in range(2000)]\n"
    files = json.loads(api.run(api.function(greedy)["id"])["result"])["output"]
    assert "Too many open files" in files


def test_an_asynchronous_run(api: Api, sleeper: str) -> None:
    """`running` at once; the result comes with time."""
    answer = api(
        "POST",
        "/v1/executions",
        {"function_id": sleeper, "sync": "false", "input": '{"seconds":0.2}'},
    )
    assert (answer.status, answer.json["status"], answer.json["result"]) == (201, "running", None)
    assert json.loads(settled(api, answer.json["id"])["result"])["output"] == 0.2


def test_a_wait_that_ends_first(api: Api, sleeper: str) -> None:
    """202 and the address; nothing is lost."""
    answer = api(
        "POST", "/v1/executions", {"function_id": sleeper, "input": {"seconds": 2.5}},
        headers={"Prefer": "wait=0"},
    )  # fmt: skip
    assert (answer.status, answer.json["status"]) == (202, "running")
    path = urllib.parse.urlsplit(answer.headers["Location"]).path
    assert path == f"/v1/executions/{answer.json['id']}"
    assert settled(api, answer.json["id"])["state"] == "succeeded"


@pytest.mark.parametrize(
    ("given", "args", "kwargs"),
    [
        (None, [], {}),
        ('{"a": 1}', [], {"a": 1}),
        ({"a": [1, None]}, [], {"a": [1, None]}),
        ("plain words", ["plain words"], {}),
        ("[1, 2]", [[1, 2]], {}),
        ([1, 2], [[1, 2]], {}),
        ("5", [5], {}),
        (5, [5], {}),
        ('"quoted"', ["quoted"], {}),
        (False, [False], {}),
        ("ünïcödé 😀", ["ünïcödé 😀"], {}),
    ],
)
def test_inputs(api: Api, echo: str, given: Any, args: list[Any], kwargs: dict[str, Any]) -> None:
    """An object becomes keyword arguments, anything else the one positional argument."""
    output = json.loads(api.run(echo, given)["result"])["output"]
    assert output == {"args": args, "kwargs": kwargs}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "no_function"),
        ({"function_id": None, "function_alias": None}, 400, "no_function"),
        ({"function_id": "a", "function_alias": "b"}, 400, "no_function"),
        ({"function_id": ""}, 400, "invalid_field"),
        ({"function_id": 5}, 400, "invalid_field"),
        ({"function_id": "x", "sync": "perhaps"}, 400, "invalid_field"),
        ({"function_id": "x", "function_version": -1}, 400, "invalid_field"),
        ({"function_id": "x", "function_version": "one"}, 400, "invalid_field"),
        ({"function_id": "x", "function_version": 1.5}, 400, "invalid_field"),
        ({"function_id": "x", "input": "a\0b"}, 400, "invalid_field"),
        ({"function_id": "x", "description": "\0"}, 400, "invalid_field"),
        ({"function_id": "x", "extra": 1}, 400, "unknown_field"),
        ({"function_id": "x", "status": "success"}, 400, "unknown_field"),
        ({"function_id": "no-such-function"}, 404, "not_found"),
        ({"function_id": str(uuid.uuid4())}, 404, "not_found"),
        ({"function_alias": "no-such-alias"}, 404, "not_found"),
        ({"function_id": "x", "input": "x" * 300_000}, 413, "input_too_large"),
        ({"function_id": "x", "input": {"a": "é" * 150_000}}, 413, "input_too_large"),
    ],
)  # fmt: skip
def test_bad_calls(api: Api, body: dict[str, Any], status: int, code: str) -> None:
    """Each is refused with its code; no row is left."""
    newest = "/v1/executions?sort=id:desc&limit=1"
    before = api("GET", newest).json["executions"]
    answer = api("POST", "/v1/executions", body)
    assert (answer.status, answer.code) == (status, code)
    assert api("GET", newest).json["executions"] == before


def test_a_huge_body_is_not_even_read_whole(api: Api) -> None:
    """The body's limit holds before the input's."""
    answer = api("POST", "/v1/executions", b'{"input": "' + b"x" * 17 * 1024 * 1024 + b'"}')
    assert (answer.status, answer.code) == (413, "too_large")


def test_an_unknown_version(api: Api, hello: str) -> None:
    """404; version 0 is what the function is now."""
    body = {"function_id": hello, "function_version": 99}
    assert api("POST", "/v1/executions", body).status == 404
    assert api.run(hello, function_version="0")["status"] == "success"


def test_idempotency(api: Api, hello: str, unique: str) -> None:
    """The same key with the same call is the same execution; with another one a conflict."""
    call = {"function_id": hello, "input": {"name": "once"}}
    key = {"Idempotency-Key": unique}
    first = api("POST", "/v1/executions", call, headers=key)
    again = api("POST", "/v1/executions", call, headers=key)
    assert (first.status, again.status) == (201, 200)
    assert again.json["id"] == first.json["id"]
    other = api("POST", "/v1/executions", {**call, "input": {"name": "twice"}}, headers=key)
    assert other.status == 409


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 256])
def test_bad_idempotency_keys(api: Api, hello: str, key: str) -> None:
    """Visible ASCII, not empty and not long."""
    answer = api("POST", "/v1/executions", {"function_id": hello}, headers={"Idempotency-Key": key})
    assert (answer.status, answer.code) == (400, "bad_idempotency_key")


def start(api: Api, function_id: str, value: Any, **fields: Any) -> str:
    body = {"function_id": function_id, "input": value, "sync": False, **fields}
    return str(api("POST", "/v1/executions", body).json["id"])


def test_cancel(api: Api, sleeper: str) -> None:
    """One that is open ends as cancelled; one that is over is a conflict."""
    execution_id = start(api, sleeper, {"seconds": 20})
    path = f"/v1/executions/{execution_id}"
    until(lambda: api("GET", path).json["state"] == "running", what="the run")
    answer = api("POST", f"{path}/cancel")
    assert (answer.status, answer.json["status"], answer.json["state"]) == (
        200, "cancelled", "cancelled",
    )  # fmt: skip
    again = api("POST", f"{path}/cancel")
    assert (again.status, again.code) == (409, "already_settled")
    assert api("PATCH", path, {"status": "cancelled"}).status == 409
    assert api("PATCH", path, {"status": "success"}).status == 400
    assert api("PATCH", path, {}).status == 400
    other = start(api, sleeper, {"seconds": 20})
    assert api("PATCH", f"/v1/executions/{other}", {"status": "cancelled"}).status == 200


def test_delete(api: Api, hello: str, sleeper: str) -> None:
    """Also one that runs: it is cancelled first."""
    for execution_id in (api.run(hello)["id"], start(api, sleeper, {"seconds": 20})):
        path = f"/v1/executions/{execution_id}"
        assert api("DELETE", path).status == 204
        for method, rest in (("GET", ""), ("GET", "/log"), ("DELETE", ""), ("POST", "/cancel")):
            assert api(method, path + rest).status == 404


@pytest.mark.parametrize(
    ("method", "rest"), [("GET", ""), ("DELETE", ""), ("GET", "/log"), ("POST", "/cancel")]
)
def test_ids(api: Api, method: str, rest: str) -> None:
    """No id at all is a 400, as in Qinling."""
    answer = api(method, f"/v1/executions/not-an-id{rest}")
    assert (answer.status, answer.code) == (400, "bad_id")


def test_lists(api: Api, echo: str, unique: str) -> None:
    """Filters with operators, Qinling's status words, order, pages."""
    ids = [api.run(echo, n, description=f"{unique} {n}")["id"] for n in range(5)]
    base = f"/v1/executions?function_id={echo}&description=has:{unique}"

    def listed(more: str) -> list[str]:
        rows = api("GET", f"{base}&{more}").json["executions"]
        return [row["id"] for row in rows]

    assert listed("") == ids
    assert listed("sort=id:desc") == ids[::-1]
    assert listed("status=success&state=eq:succeeded") == ids
    assert listed("status=in:failed,error") == []
    assert listed("status=neq:failed") == ids
    assert listed(f"id=in:{ids[0]},{ids[3]}") == [ids[0], ids[3]]


def test_filter_by_time(api: Api, hello: str) -> None:
    """Times are compared as times, however they are spelt."""
    api.run(hello)
    for query, some in (
        ("created_at=gte:2001-01-01T00:00:00Z", True),
        ("created_at=lt:2001-01-01", False),
        ("finished_at=gt:1000000000", True),
    ):
        rows = api("GET", f"/v1/executions?function_id={hello}&{query}").json["executions"]
        assert bool(rows) is some
    assert api("GET", "/v1/executions?created_at=gt:soon").status == 400


def test_pages(api: Api, echo: str, unique: str) -> None:
    """Following ``next`` gives every row once."""
    ids = [api.run(echo, n, description=unique)["id"] for n in range(5)]
    found: list[str] = []
    path = f"/v1/executions?description={unique}&limit=2"
    pages = 0
    while path:
        page = api("GET", path).json
        found += [row["id"] for row in page["executions"]]
        assert len(page["executions"]) <= 2
        path = page.get("next", "").removeprefix(api.url)
        pages += 1
    assert (found, pages) == (ids, 3)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=-1", "limit=x", "marker=x", f"marker={uuid.uuid4()}", "sort=colour",
        "sort=id:up", "status=fine", "status=gt:success", "attempts=many", "attempts=" + "9" * 30,
        "sync=perhaps", "attempts=has:1", "all_projects=maybe", "created_at=x",
    ],
)  # fmt: skip
def test_bad_lists(api: Api, query: str) -> None:
    """Each is a 400."""
    assert api("GET", f"/v1/executions?{query}").status == 400


def test_the_log(api: Api, hello: str) -> None:
    """Plain text, framed as in Qinling."""
    execution = api.run(hello, {"name": "log"})
    answer = api("GET", f"/v1/executions/{execution['id']}/log")
    assert answer.headers["Content-Type"].startswith("text/plain")
    first, *middle, last = answer.text.splitlines()
    assert first == f"Start execution: {execution['id']}"
    assert middle == ["hello log"]
    assert last == f"Finished execution: {execution['id']}"


def test_a_client_that_goes_away(api: Api, url: str, sleeper: str, unique: str) -> None:
    """A synchronous call goes on without its caller, who may ask again with the same key."""
    host, port = url.removeprefix("http://").split(":")
    call = {"function_id": sleeper, "input": {"seconds": 1}, "description": unique}
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    headers = {"Content-Type": "application/json", "Idempotency-Key": unique}
    connection.request("POST", "/v1/executions", json.dumps(call), headers)
    rows = until(
        lambda: api("GET", f"/v1/executions?description={unique}").json["executions"],
        what="the call's row",
    )
    connection.close()
    again = api("POST", "/v1/executions", call, headers={"Idempotency-Key": unique})
    assert (again.status, again.json["id"]) == (200, rows[0]["id"])
    assert again.json["state"] == "succeeded"


def test_cancel_races_with_the_end(api: Api, sleeper: str) -> None:
    """Whoever comes first, the execution ends once and stays as it ended."""
    ends = []
    for _ in range(20):
        execution_id = start(api, sleeper, {"seconds": 0.02})
        path = f"/v1/executions/{execution_id}"
        until(lambda path=path: api("GET", path).json["attempts"], what="the run")  # type: ignore[misc]
        answer = api("POST", f"{path}/cancel")
        state = settled(api, execution_id)["state"]
        assert (answer.status, state) in ((200, "cancelled"), (409, "succeeded"))
        ends.append((path, state))
    for path, state in ends:
        assert api("GET", path).json["state"] == state
