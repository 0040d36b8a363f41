"""Task states: resource, times, credentials, and what EXPRESS does not have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.compositions.validate.build import Found, of_state

TASK = {"Type": "Task", "Resource": "f", "Next": "B"}
STATES = "arn:aws:states:::"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"Resource": 1}, {("wrong_type", "/Resource")}),
        ({"Resource": {"Ref": "F"}}, {("wrong_type", "/Resource")}),
        ({"Resource": "no such thing"}, {("bad_resource", "/Resource")}),
        ({"TimeoutSeconds": 1, "HeartbeatSecondsPath": "$.h"}, set()),
        ({"TimeoutSeconds": 0}, {("bad_value", "/TimeoutSeconds")}),
        (
            {"TimeoutSeconds": 1, "TimeoutSecondsPath": "$.t"},
            {("conflict", "/TimeoutSecondsPath")},
        ),
        (
            {"HeartbeatSeconds": 1, "HeartbeatSecondsPath": "$.t"},
            {("conflict", "/HeartbeatSecondsPath")},
        ),
        ({"TimeoutSecondsPath": "t"}, {("bad_path", "/TimeoutSecondsPath")}),
        ({"TimeoutSeconds": 5, "HeartbeatSeconds": 5}, {("bad_value", "/HeartbeatSeconds")}),
        ({"Credentials": {"RoleArn": "r"}}, set()),
        ({"Credentials": {"RoleArn.$": "$.r"}}, set()),
        ({"Credentials": {}}, {("missing_field", "/Credentials")}),
        ({"Credentials": "r"}, {("wrong_type", "/Credentials")}),
    ],
)
def test_fields(fields: dict[str, Any], expected: Found) -> None:
    assert of_state({**TASK, **fields}) == expected


def test_a_task_has_a_resource() -> None:
    assert of_state({"Type": "Task", "Next": "B"}) == {("missing_field", "")}


def test_foreign_services_are_warnings() -> None:
    state = {**TASK, "Resource": f"{STATES}sqs:sendMessage"}
    assert of_state(state) == set()
    assert of_state(state, severity="warning") == {("unsupported", "/Resource")}


@pytest.mark.parametrize(
    ("resource", "good"),
    [
        ("f", True),
        (f"{STATES}lambda:invoke", True),
        (f"{STATES}states:startExecution", True),
        (f"{STATES}lambda:invoke.waitForTaskToken", False),
        (f"{STATES}states:startExecution.sync", False),
        (f"{STATES}states:startExecution.sync:2", False),
        (f"{STATES}sns:publish.waitForTaskToken", False),
        ("arn:aws:states:us-east-1:123456789012:activity:a", False),
        ("funcflow:approval", False),
        ("mistral:workflow:heal", False),
    ],
)
def test_express(resource: str, good: bool) -> None:
    state = {**TASK, "Resource": resource}
    assert of_state(state) == set()
    assert of_state(state, "EXPRESS") == (set() if good else {("not_express", "/Resource")})
