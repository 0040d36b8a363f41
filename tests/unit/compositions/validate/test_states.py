"""Fields by type and query language, transitions, Wait, Fail, data flow."""

from __future__ import annotations

from typing import Any

import pytest

from funcflow.compositions.compile import problems
from funcflow.compositions.validate import tables
from tests.unit.compositions.validate.build import machine, of_state

INNER = {"StartAt": "I", "States": {"I": {"Type": "Succeed"}}}
#: What each type needs.
NEEDS: dict[str, dict[str, Any]] = {
    "Task": {"Resource": "f", "Next": "B"},
    "Pass": {"Next": "B"},
    "Wait": {"Seconds": 1, "Next": "B"},
    "Succeed": {},
    "Fail": {},
    "Parallel": {"Branches": [INNER], "Next": "B"},
    "Map": {"ItemProcessor": INNER, "Next": "B"},
}
RULES = {
    "JSONPath": {"Variable": "$.a", "IsNull": True, "Next": "B"},
    "JSONata": {"Condition": True, "Next": "B"},
    "YAQL": {"Condition": True, "Next": "B"},
}


def needs(type_: str, language: str) -> dict[str, Any]:
    state = {"Type": type_, "QueryLanguage": language}
    return state | NEEDS.get(type_, {"Choices": [RULES[language]]})


@pytest.mark.parametrize("language", RULES)
@pytest.mark.parametrize("type_", tables.TYPES)
def test_the_least_state_is_good(type_: str, language: str) -> None:
    assert of_state(needs(type_, language)) == set()


@pytest.mark.parametrize("language", RULES)
@pytest.mark.parametrize("type_", tables.TYPES)
def test_no_state_takes_the_fields_of_others(type_: str, language: Any) -> None:
    every = set().union(*tables.BOTH.values(), *tables.PATH.values(), *tables.QUERY.values())
    for name in every - tables.allowed(type_, language):
        found = of_state(needs(type_, language) | {name: "x"})
        assert ("unknown_field", f"/{name}") in found


def test_fields_of_the_other_language_are_explained() -> None:
    (problem,) = problems(machine(needs("Pass", "JSONata") | {"OutputPath": "$.a"}))
    assert problem.message == "'OutputPath' is not a field of a JSONata Pass state"
    assert problem.hint == "It belongs to JSONPath; in JSONata use Output."
    (problem,) = problems(machine(needs("Pass", "JSONPath") | {"Output": 1}))
    assert problem.hint == 'It needs "QueryLanguage": "JSONata" or "YAQL".'
    (problem,) = problems(machine(needs("Task", "JSONPath") | {"ReslutPath": "$.a"}))
    assert problem.hint == "Did you mean 'ResultPath'?"


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({}, {("missing_field", "")}),
        ({"Type": 1}, {("wrong_type", "/Type")}),
        ({"Type": "Tusk"}, {("bad_value", "/Type")}),
        ({"Type": "Pass"}, {("missing_field", "")}),
        ({"Type": "Pass", "End": False}, {("bad_value", "/End")}),
        ({"Type": "Pass", "End": "true"}, {("wrong_type", "/End")}),
        ({"Type": "Pass", "End": True, "Next": "B"}, {("conflict", "/End")}),
        ({"Type": "Pass", "Next": 1}, {("wrong_type", "/Next")}),
        ({"Type": "Wait", "End": True}, {("missing_field", "")}),
        ({"Type": "Wait", "End": True, "Seconds": 0}, set()),
        ({"Type": "Wait", "End": True, "Seconds": -1}, {("bad_value", "/Seconds")}),
        ({"Type": "Wait", "End": True, "Seconds": 1.5}, {("wrong_type", "/Seconds")}),
        ({"Type": "Wait", "End": True, "Seconds": 100_000_000}, {("bad_value", "/Seconds")}),
        ({"Type": "Wait", "End": True, "Seconds": "{% 1 %}"}, {("wrong_type", "/Seconds")}),
        (
            {"Type": "Wait", "End": True, "Seconds": 1, "SecondsPath": "$.a"},
            {("conflict", "/SecondsPath")},
        ),
        ({"Type": "Wait", "End": True, "SecondsPath": "a"}, {("bad_path", "/SecondsPath")}),
        ({"Type": "Wait", "End": True, "Timestamp": "2016-08-18T17:33:00Z"}, set()),
        ({"Type": "Wait", "End": True, "Timestamp": "2016-08-18T17:33:00.123+01:00"}, set()),
        ({"Type": "Wait", "End": True, "Timestamp": "2016-08-18"}, {("bad_value", "/Timestamp")}),
        ({"Type": "Fail", "Error": 1}, {("wrong_type", "/Error")}),
        ({"Type": "Fail", "Error": "a", "ErrorPath": "$.a"}, {("conflict", "/ErrorPath")}),
        ({"Type": "Fail", "CausePath": "States.Format('{}', $.a)"}, set()),
        ({"Type": "Fail", "CausePath": "States.UUID()"}, set()),
        ({"Type": "Fail", "CausePath": "States.MathAdd(1, 2)"}, {("bad_expression", "/CausePath")}),
        ({"Type": "Fail", "CausePath": "States.Format('{}'"}, {("bad_expression", "/CausePath")}),
        ({"Type": "Parallel", "End": True}, {("missing_field", "")}),
        ({"Type": "Parallel", "End": True, "Branches": []}, {("bad_value", "/Branches")}),
        ({"Type": "Parallel", "End": True, "Branches": [1]}, {("wrong_type", "/Branches/0")}),
    ],
)
def test_states(state: dict[str, Any], expected: set[tuple[str, str]]) -> None:
    assert of_state(state) - {("no_end", "/States")} == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"InputPath": None, "OutputPath": None, "ResultPath": None}, set()),
        ({"InputPath": "$$.Execution.Id", "OutputPath": "$v.a[0]"}, set()),
        ({"InputPath": "$.a[*]..b[?(@.c > 1)]"}, set()),
        ({"InputPath": 1}, {("wrong_type", "/InputPath")}),
        ({"InputPath": "a.b"}, {("bad_path", "/InputPath")}),
        ({"InputPath": "States.UUID()"}, {("bad_path", "/InputPath")}),
        ({"OutputPath": "$.a["}, {("bad_path", "/OutputPath")}),
        ({"ResultPath": "$.a['b'][0]"}, set()),
        ({"ResultPath": "$.a[*]"}, {("bad_path", "/ResultPath")}),
        ({"ResultPath": "$v"}, {("bad_path", "/ResultPath")}),
        ({"ResultPath": "$$.Execution"}, {("bad_path", "/ResultPath")}),
        ({"ResultSelector": "x"}, {("wrong_type", "/ResultSelector")}),
        ({"Parameters": ["x", {"a.$": "$.b"}]}, set()),
        ({"Parameters": True}, set()),
        (
            {"Parameters": {"a": {"b.$": "c"}, "d": [{"e.$": 1}], "f.$": "States.No(1)"}},
            {
                ("bad_expression", "/Parameters/a/b.$"),
                ("bad_expression", "/Parameters/d/0/e.$"),
                ("bad_expression", "/Parameters/f.$"),
            },
        ),
        ({"Parameters": {"a": 1, "a.$": "$.b"}}, {("bad_expression", "/Parameters/a.$")}),
    ],
)
def test_data_flow(fields: dict[str, Any], expected: set[tuple[str, str]]) -> None:
    assert of_state({**needs("Task", "JSONPath"), **fields}) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"Output": {"a": ["{% $states.input %}"]}, "Arguments": "{% $x %}"}, set()),
        ({"Output": {"a": ["{% 1 + %}"]}}, {("bad_expression", "/Output/a/0")}),
        ({"TimeoutSeconds": "{% $states.input.t %}"}, set()),
        ({"TimeoutSeconds": "{% ( %}"}, {("bad_expression", "/TimeoutSeconds")}),
        ({"TimeoutSeconds": "5"}, {("wrong_type", "/TimeoutSeconds")}),
        ({"Credentials": "{% $states.input.c %}"}, set()),
    ],
)
def test_jsonata(fields: dict[str, Any], expected: set[tuple[str, str]]) -> None:
    assert of_state({**needs("Task", "JSONata"), **fields}) == expected


def test_half_an_expression_is_an_error() -> None:
    state = needs("Pass", "JSONata") | {"Output": {"a": "10 %}", "b": " {% 1 %}", "c": "ok"}}
    assert of_state(state) == {("bad_expression", "/Output/a"), ("bad_expression", "/Output/b")}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"Output": {"a": "got <% $.a %> of <% $.b %>"}, "Arguments": "<% $ %>"}, set()),
        ({"Output": {"a": "<% $.a + %>"}}, {("bad_expression", "/Output/a")}),
        ({"HeartbeatSeconds": "<% $.t %>"}, set()),
        ({"InputPath": "$.a"}, {("unknown_field", "/InputPath")}),
    ],
)
def test_yaql(fields: dict[str, Any], expected: set[tuple[str, str]]) -> None:
    assert of_state({**needs("Task", "YAQL"), **fields}) == expected
