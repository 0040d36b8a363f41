"""Single states against AWS's TestState, as recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from funcflow.compositions.compile import parse, parse_state
from funcflow.compositions.definition import AnyState
from funcflow.compositions.expressions.base import MISSING
from funcflow.compositions.trial import Attempt, BadTrial, Mock, Trial
from tests.conformance import cases
from tests.conformance.cases import Case
from tests.conformance.differences import marked
from tests.virtual import START, World

pytestmark = pytest.mark.skipif(cases.folder() is None, reason="no recorded cases here")

KINDS = cases.kinds("asl")

#: What inspection data has as it is; the rest are payloads, so JSON texts.
PLAIN = {
    "errorDetails",
    "maxConcurrency",
    "toleratedFailureCount",
    "toleratedFailurePercentage",
}

AROUND = {
    "Execution": {
        "Id": "arn:aws:states:region:111111111111:express:machine:name",
        "Name": "name",
        "RoleArn": "arn:aws:iam::111111111111:role/role",
    },
    "StateMachine": {
        "Id": "arn:aws:states:region:111111111111:stateMachine:machine",
        "Name": "machine",
    },
}


def state_of(case: Case) -> AnyState:
    definition = case["definition"]
    if "States" in definition:
        return parse(definition).states[case["args"]["stateName"]]
    return parse_state(definition, "StateName")


def trial_of(case: Case) -> Trial:
    args = case["args"]
    asked = args.get("stateConfiguration", {})
    mock = args.get("mock")
    if args.get("revealSecrets") and mock is not None:
        raise BadTrial("TestState does not support RevealSecrets when a mock is specified.")
    return Trial(
        state=state_of(case),
        input=case.get("input", {}),
        around=AROUND,
        variables=json.loads(args.get("variables", "{}")),
        context=json.loads(args["context"]) if "context" in args else None,
        mock=None if mock is None else mock_of(mock),
        retry_count=asked.get("retrierRetryCount", 0),
        failed_iterations=asked.get("mapIterationFailureCount"),
        items=json.loads(asked.get("mapItemReaderData", "null")),
        caused_by=asked.get("errorCausedByState", ""),
    )


def mock_of(data: dict[str, Any]) -> Mock:
    failure = data.get("errorOutput")
    return Mock(
        json.loads(data["result"]) if "result" in data else MISSING,
        failure is not None,
        (failure or {}).get("error"),
        (failure or {}).get("cause"),
        data.get("fieldValidationMode", "STRICT"),
    )


def attempted(case: Case) -> Attempt:
    attempt = Attempt(trial_of(case), START)
    if attempt.request is not None:
        signal = World(case["lambdas"]).answered(attempt.request)
        attempt.answer(signal)
    return attempt


@pytest.mark.parametrize("name", marked(KINDS.get("test_state", ())))
def test_state(name: str) -> None:
    case = cases.load("asl", name)
    expect = case["expect"]
    if "api_error" in expect:
        with pytest.raises(BadTrial) as caught:
            attempted(case)
        assert str(caught.value) == expect["message"]
        return
    result = attempted(case).result
    assert result is not None
    got: dict[str, Any] = {"status": result.status}
    if result.output is not MISSING:
        got["output"] = json.dumps(result.output)
    if result.next_state is not None:
        got["nextState"] = result.next_state
    got |= {k: v for k, v in (("error", result.error), ("cause", result.cause)) if v is not None}
    if "inspectionData" in expect:
        got["inspectionData"] = {
            name: value if name in PLAIN else json.dumps(value)
            for name, value in result.inspection.items()
        }
    tokens, ignored = expect.get("wildcard_tokens", ()), expect.get("ignore_keys", ())
    wanted = {k: v for k, v in expect.items() if k not in ("wildcard_tokens", "ignore_keys")}
    assert cases.difference(cases.normal(wanted), cases.normal(got), tokens, ignored) is None
