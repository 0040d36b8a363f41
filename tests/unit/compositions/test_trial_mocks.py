"""What a service could not have answered is refused as a mock."""

from __future__ import annotations

from typing import Any

import pytest

from funcflow.compositions import trial_mocks
from funcflow.compositions.resources import parse_resource

STARTED = {"ExecutionArn": "arn", "StartDate": "2026-11-20T09:00:00Z"}


@pytest.mark.parametrize(
    ("resource", "result", "said"),
    [
        ("funcflow:function", {"StatusCode": True}, "Field 'StatusCode' must be a number"),
        ("funcflow:function", {"ExecutedVersion": ""}, "'ExecutedVersion' is smaller than"),
        ("funcflow:function", [], "Field 'result' must be an object"),
        ("funcflow:composition", {"StartDate": "x"}, "Required field 'ExecutionArn' is missing"),
        ("funcflow:composition.sync", STARTED, "Required field 'StateMachineArn' is missing"),
        ("funcflow:http", {"StatusCode": "200"}, "Field 'StatusCode' must be a number"),
        ("arn:aws:states:::aws-sdk:lambda:getFunction", {"Configuration": {"Timeout": 0}}, "less"),
        ("arn:aws:states:::aws-sdk:s3:getObject", {"DeleteMarker": 1}, "must be a boolean"),
        ("arn:aws:states:::aws-sdk:kms:encrypt", {"KeyId": "k" * 2049}, "exceeds the maximum len"),
        ("arn:aws:states:::events:putEvents", {"Entries": [{}, 1]}, "must be an object"),
    ],
)
def test_what_cannot_be_is_said(resource: str, result: Any, said: str) -> None:
    problem = trial_mocks.problem(parse_resource(resource), result)
    assert problem is not None
    assert problem.startswith("Mock result schema validation error: ")
    assert said in problem


@pytest.mark.parametrize(
    ("resource", "result"),
    [
        ("resize", {"StatusCode": "a function answers what it likes"}),
        ("funcflow:function", {"Payload": [1], "StatusCode": 200, "Other": True}),
        ("funcflow:composition", STARTED),
        ("funcflow:composition.waitForTaskToken", "whoever sends the token decides"),
        ("funcflow:approval", {"approved": True}),
        ("arn:aws:states:::glue:startJobRun", {"JobRunId": 1}),
    ],
)
def test_what_can_be_is_taken(resource: str, result: Any) -> None:
    assert trial_mocks.problem(parse_resource(resource), result) is None


def test_the_comparison_can_be_milder_or_left_out() -> None:
    composition = parse_resource("funcflow:composition")
    assert trial_mocks.problem(composition, {}, "PRESENT") is None
    assert trial_mocks.problem(composition, {"StartDate": 1}, "PRESENT") is not None
    assert trial_mocks.problem(composition, {"StartDate": 1}, "NONE") is None
