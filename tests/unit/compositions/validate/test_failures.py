"""Retry and Catch."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.compositions.validate.build import Found, of_state

TASK = {"Type": "Task", "Resource": "f", "Next": "B"}
ALL = {"ErrorEquals": ["States.ALL"]}
E = {"ErrorEquals": ["E"]}


@pytest.mark.parametrize(
    ("retrier", "expected"),
    [
        (E, set()),
        (
            {
                **E,
                "IntervalSeconds": 1,
                "MaxAttempts": 0,
                "BackoffRate": 1,
                "MaxDelaySeconds": 5,
                "JitterStrategy": "FULL",
                "Comment": "c",
            },
            set(),
        ),
        ({}, {("missing_field", "")}),
        ({"Error Equals": ["E"]}, {("missing_field", ""), ("unknown_field", "/Error Equals")}),
        ({"ErrorEquals": []}, {("bad_value", "/ErrorEquals")}),
        ({"ErrorEquals": "E"}, {("wrong_type", "/ErrorEquals")}),
        ({"ErrorEquals": [True]}, {("wrong_type", "/ErrorEquals/0")}),
        ({"ErrorEquals": ["E", "States.ALL"]}, {("conflict", "/ErrorEquals")}),
        ({**E, "IntervalSeconds": 0}, {("bad_value", "/IntervalSeconds")}),
        ({**E, "MaxAttempts": -1}, {("bad_value", "/MaxAttempts")}),
        ({**E, "MaxAttempts": 100_000_000}, {("bad_value", "/MaxAttempts")}),
        ({**E, "BackoffRate": 0.5}, {("bad_value", "/BackoffRate")}),
        ({**E, "BackoffRate": "2"}, {("wrong_type", "/BackoffRate")}),
        ({**E, "MaxDelaySeconds": 31_622_400}, {("bad_value", "/MaxDelaySeconds")}),
        ({**E, "JitterStrategy": "PARTIAL"}, {("bad_value", "/JitterStrategy")}),
        ({**E, "Next": "B"}, {("unknown_field", "/Next")}),
        (1, {("wrong_type", "")}),
    ],
)
def test_retriers(retrier: Any, expected: Found) -> None:
    found = of_state({**TASK, "Retry": [retrier]})
    assert {(code, pointer.removeprefix("/Retry/0")) for code, pointer in found} == expected


@pytest.mark.parametrize(
    ("catcher", "language", "expected"),
    [
        ({**E, "ResultPath": "$.e", "Assign": {"x.$": "$.Cause"}}, "JSONPath", set()),
        ({**E, "ResultPath": None}, "JSONPath", set()),
        ({**E, "ResultPath": "$.e[*]"}, "JSONPath", {("bad_path", "/ResultPath")}),
        ({**E, "Output": 1}, "JSONPath", {("unknown_field", "/Output")}),
        ({**E, "Output": "{% $states.errorOutput %}"}, "JSONata", set()),
        ({**E, "Output": "{% 1 + %}"}, "JSONata", {("bad_expression", "/Output")}),
        ({**E, "ResultPath": "$"}, "JSONata", {("unknown_field", "/ResultPath")}),
        ({**E, "Next": 1}, "JSONPath", {("wrong_type", "/Next")}),
        ({**E, "Retry": 1}, "JSONPath", {("unknown_field", "/Retry")}),
    ],
)
def test_catchers(catcher: dict[str, Any], language: str, expected: Found) -> None:
    state = {**TASK, "QueryLanguage": language, "Catch": [{"Next": "B", **catcher}]}
    found = of_state(state)
    assert {(code, pointer.removeprefix("/Catch/0")) for code, pointer in found} == expected


def test_a_catcher_goes_somewhere() -> None:
    assert of_state({**TASK, "Catch": [E]}) == {("missing_field", "/Catch/0")}


def test_all_comes_last() -> None:
    assert of_state({**TASK, "Retry": [E, ALL]}) == set()
    assert of_state({**TASK, "Retry": [ALL, E]}) == {("conflict", "/Retry/0/ErrorEquals")}


def test_unknown_reserved_names_are_warnings() -> None:
    names = ["States.Timeout", "States.Http.StatusCode.404", "States.TimeOut", "Own"]
    state = {**TASK, "Retry": [{"ErrorEquals": names}]}
    assert of_state(state) == set()
    assert of_state(state, severity="warning") == {("bad_value", "/Retry/0/ErrorEquals/2")}
