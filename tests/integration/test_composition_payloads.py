"""Payloads that are too large for a row, over REST: kept in the store, shown all the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from funcflow.cmd import up
from tests.api.client import Api
from tests.api.test_composition_executions import ended, run, seen, start, tell
from tests.api.test_compositions import create
from tests.api.test_task_tokens import begin, send

LIMIT = 1024 * 1024


@pytest.fixture(scope="module")
def roomy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server whose payloads may have a mebibyte, of which rows keep 4 KiB."""
    conf = up.load(up.Options(port=0, data_dir=str(tmp_path_factory.mktemp("data"))))
    conf.set_override("payload_limit", LIMIT, group="compositions")
    conf.set_override("inline_limit", 4096, group="compositions")
    conf.set_override("result_limit", LIMIT, group="sandbox")
    conf.set_override("max_input", LIMIT, group="api")
    server = up.Server(conf)
    try:
        yield Api(server.url)
    finally:
        server.stop()


def test_inputs_outputs_and_what_is_between(roomy: Api) -> None:
    source = "def main(text):\n    return {'text': text, 'again': text}\n"
    function = roomy.function(source, timeout=30)["id"]
    states = {
        "A": {"Type": "Task", "Resource": function, "Next": "B"},
        "B": {"Type": "Pass", "OutputPath": "$.again", "End": True},
    }
    create(roomy, "large", {"StartAt": "A", "States": states})
    text = "é" * 40_000
    ran = run(roomy, "large", {"text": text}, name="one")
    assert (ran["status"], ran["output"]) == ("SUCCEEDED", text)
    path = f"/v1/compositions/large/executions/{ran['id']}"
    shown = roomy("GET", path).json
    assert (shown["input"], shown["output"]) == ({"text": text}, text)
    told = roomy("GET", f"{path}/history").json["events"]
    assert text in told[-1]["executionSucceededEventDetails"]["output"]
    assert roomy("GET", f"{path}/timeline").status == 200
    body = {"name": "one", "input": {"text": text}}
    again = roomy("POST", "/v1/compositions/large/executions", body)
    assert again.status == 200, again.body
    assert (again.status, again.json["id"]) == (200, ran["id"]), "the same input, by its digest"


def test_what_a_token_brings(roomy: Api) -> None:
    hello = roomy.function("def main(**rest):\n    pass\n")["id"]
    execution, token = begin(roomy, hello, "ask")
    assert send(roomy, token, "success", {"output": "x" * (LIMIT - 2)}).status == 200
    assert ended(roomy, execution)["output"] == "x" * (LIMIT - 2)


def test_a_result_that_is_too_large_fails_its_state(roomy: Api) -> None:
    """And nothing else: the execution can be gone on with, or stopped."""
    function = roomy.function(f"def main(**rest):\n    return 'x' * {LIMIT}\n", timeout=30)["id"]
    caught = {
        "Type": "Task",
        "Resource": function,
        "Catch": [{"ErrorEquals": ["States.DataLimitExceeded"], "Next": "Rest"}],
        "End": True,
    }
    rest = {"Type": "Wait", "Seconds": 600, "End": True}
    create(roomy, "caught", {"StartAt": "A", "States": {"A": caught, "Rest": rest}})
    execution = start(roomy, "caught")["id"]
    seen(roomy, execution, lambda row: row["state"] == "waiting")
    told = roomy("GET", f"/v1/compositions/-/executions/{execution}/history").json["events"]
    assert told[-1]["stateEnteredEventDetails"]["name"] == "Rest"
    assert tell(roomy, execution, "stop").json["status"] == "ABORTED"
    del caught["Catch"]
    create(roomy, "failed", {"StartAt": "A", "States": {"A": caught}})
    failed = run(roomy, "failed")
    assert (failed["status"], failed["error"]) == ("FAILED", "States.DataLimitExceeded")
