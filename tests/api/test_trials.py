"""Single states tried over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.client import Api

PASS = {"Type": "Pass", "Parameters": {"b.$": "$.a"}, "ResultPath": "$.c", "Next": "N"}


def tried(api: Api, definition: Any, **more: Any) -> dict[str, Any]:
    answer = api("POST", "/v1/compositions/test-state", {"definition": definition, **more})
    assert answer.status == 200, answer.body
    result: dict[str, Any] = answer.json
    return result


def test_input_output_and_next_state(api: Api) -> None:
    assert tried(api, PASS, input={"a": 1}) == {
        "status": "SUCCEEDED", "output": {"a": 1, "c": {"b": 1}}, "next_state": "N"
    }  # fmt: skip
    assert tried(api, "Type: Succeed")["output"] == {}


@pytest.mark.parametrize("level", ["DEBUG", "TRACE"])
def test_the_stages_of_the_data(api: Api, level: str) -> None:
    seen = tried(api, PASS, input='{"a": 1}', inspection_level=level)["inspection_data"]
    assert seen["input"] == {"a": 1}
    assert seen["afterParameters"] == {"b": 1}
    assert seen["afterResultPath"] == {"a": 1, "c": {"b": 1}}
    assert "inspection_data" not in tried(api, PASS, input={"a": 1}, inspection_level="INFO")


def test_a_task_runs_its_function(api: Api, hello: str) -> None:
    task = {"Type": "Task", "Resource": hello, "ResultSelector": {"who.$": "$.hello"}, "End": True}
    assert tried(api, task, input={"name": "Ada"})["output"] == {"who": "Ada"}
    broken = api.function("def main(**rest):\n    raise ValueError('no')\n")["id"]
    caught = {"ErrorEquals": ["ValueError"], "Next": "Sorry"}
    answer = tried(api, {**task, "Resource": broken, "Catch": [caught]})
    assert (answer["status"], answer["error"]) == ("CAUGHT_ERROR", "ValueError")
    assert answer["next_state"] == "Sorry"


def test_versions_and_aliases_of_functions(api: Api, unique: str) -> None:
    made = api.function("def main(**rest):\n    return 1\n", name=unique)["id"]
    assert api("POST", f"/v1/functions/{made}/versions", {}).status == 201
    api("PATCH", f"/v1/functions/{made}", {"source": "def main(**rest):\n    return 2\n"})
    alias = {"name": f"live-{unique}", "function_id": made, "function_version": 1}
    assert api("POST", "/v1/aliases", alias).status == 201
    for resource, output in ((unique, 2), (f"{unique}:1", 1), (f"{unique}:live-{unique}", 1)):
        assert tried(api, {"Type": "Task", "Resource": resource, "End": True})["output"] == output
    for resource in (f"{unique}:7", f"{unique}:none", f"no-{unique}"):
        answer = tried(api, {"Type": "Task", "Resource": resource, "End": True})
        assert answer["error"] == "Lambda.ResourceNotFoundException"


def test_a_function_that_takes_too_long(api: Api) -> None:
    slow = api.function("import time\ndef main():\n    time.sleep(30)\n", timeout=60)["id"]
    task = {"Type": "Task", "Resource": slow, "TimeoutSeconds": 1, "End": True}
    answer = tried(api, task)
    assert (answer["status"], answer["error"]) == ("FAILED", "States.Timeout")
    for execution in api("GET", f"/v1/executions?function_id={slow}").json["executions"]:
        api("POST", f"/v1/executions/{execution['id']}/cancel")


@pytest.mark.parametrize("spelled", ["error_output", "errorOutput"])
def test_mocks(api: Api, spelled: str) -> None:
    task = {
        "Type": "Task",
        "Resource": "no-such-function",
        "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 5}],
        "End": True,
    }
    assert tried(api, task, mock={"result": {"n": 1}})["output"] == {"n": 1}
    assert tried(api, task, mock={"result": '{"n": 1}'})["output"] == {"n": 1}
    busy = {spelled: {"error": "Busy", "cause": "later"}}
    answer = tried(api, task, mock=busy, inspection_level="DEBUG")
    assert (answer["status"], answer["error"], answer["cause"]) == ("RETRIABLE", "Busy", "later")
    details = answer["inspection_data"]["errorDetails"]
    assert details == {"retryIndex": 0, "retryBackoffIntervalSeconds": 5}
    third = tried(api, task, mock=busy, state_configuration={"retrier_retry_count": 3})
    assert third["status"] == "FAILED"
    same = tried(api, task, mock=busy, stateConfiguration={"retrierRetryCount": 3})
    assert same == third


def test_variables_and_context(api: Api) -> None:
    state = {
        "Type": "Pass",
        "QueryLanguage": "JSONata",
        "Output": "{% $n + 1 & $states.context.Execution.Name %}",
        "Assign": {"m": "{% $n * 2 %}"},
        "End": True,
    }
    context = {"Execution": {"Name": "mine"}}
    for variables, around in (({"n": 2}, context), ('{"n": 2}', '{"Execution":{"Name":"mine"}}')):
        answer = tried(api, state, variables=variables, context=around)
        assert answer["output"] == "3mine"
        assert answer["variables"] == {"n": 2, "m": 4}


def test_a_state_of_a_whole_definition(api: Api) -> None:
    inner = {"StartAt": "I", "States": {"I": {"Type": "Pass", "Result": 5, "End": True}}}
    whole = {"StartAt": "P", "States": {
        "P": {"Type": "Parallel", "Branches": [inner], "End": True}}}  # fmt: skip
    assert tried(api, whole, state_name="I")["output"] == 5
    assert tried(api, whole, stateName="P", mock={"result": [1]})["output"] == [1]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"definition": {"Type": "Pass"}}, "invalid_definition"),
        ({"definition": {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}}, "bad_trial"),
        (
            {"definition": {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}},
             "state_name": "B"},
            "bad_trial",
        ),
        ({"definition": PASS, "mock": {"result": 1}}, "bad_trial"),
        ({"definition": PASS, "mock": {"results": 1}}, "bad_trial"),
        ({"definition": PASS, "mock": {"error_output": 1}}, "bad_trial"),
        ({"definition": PASS, "variables": "[1]"}, "bad_trial"),
        ({"definition": PASS, "context": "{"}, "bad_json"),
        ({"definition": PASS, "inspection_level": "LOUD"}, "invalid_field"),
        ({"definition": PASS, "state_configuration": {"x": 1}}, "bad_trial"),
        ({"definition": PASS, "reveal_secrets": True, "mock": {"result": 1}}, "bad_trial"),
        (
            {"definition": {"Type": "Task", "Resource": "funcflow:approval", "End": True}},
            "bad_trial",
        ),
        ({}, "invalid_field"),
    ],
)  # fmt: skip
def test_what_cannot_be_tried(api: Api, body: dict[str, Any], code: str) -> None:
    answer = api("POST", "/v1/compositions/test-state", body)
    assert (answer.status, answer.code) == (400, code)


def test_calls_are_made_to_public_addresses_alone(api: Api) -> None:
    call = {"ApiEndpoint": f"{api.url}/healthz", "Method": "GET"}
    state = {"Type": "Task", "Resource": "funcflow:http", "Parameters": call, "End": True}
    assert tried(api, state)["error"] == "States.Permissions"
    assert tried(api, {**state, "Parameters": {**call, "Method": "BREW"}})["error"] == (
        "States.Runtime"
    )
