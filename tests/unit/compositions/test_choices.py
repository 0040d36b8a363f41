"""Comparisons of Choice states, and the numbers and times other fields take."""

from __future__ import annotations

import json
from typing import Any

import pytest

from funcflow.compositions.compile import parse
from funcflow.compositions.payloads import moment, size
from tests.virtual import World


def chosen(rule: dict[str, Any], input: Any) -> bool | str:
    """Did the rule hold? The error's name if the state failed."""
    definition = parse(
        {
            "StartAt": "C",
            "States": {
                "C": {"Type": "Choice", "Choices": [{**rule, "Next": "Y"}], "Default": "N"},
                "Y": {"Type": "Pass", "Result": True, "End": True},
                "N": {"Type": "Pass", "Result": False, "End": True},
            },
        }
    )
    execution = World().run(definition, input).execution
    if execution.error:
        return execution.error
    output: bool = execution.output
    return output


@pytest.mark.parametrize(
    ("operator", "right", "left", "holds"),
    [
        ("StringEquals", "a", "a", True),
        ("StringLessThan", "b", "a", True),
        ("StringGreaterThanEquals", "a", "a", True),
        ("NumericEquals", 1, 1.0, True),
        ("NumericEquals", 1, True, False),
        ("NumericEquals", 1, "1", False),
        ("NumericLessThanEquals", 1, 1, True),
        ("NumericGreaterThan", 1, 1, False),
        ("BooleanEquals", True, True, True),
        ("BooleanEquals", True, 1, False),
        ("TimestampEquals", "2020-01-01T00:00:00Z", "2020-01-01T01:00:00+01:00", True),
        ("TimestampLessThan", "2020-01-01T00:00:01Z", "2020-01-01T00:00:00.5Z", True),
        ("TimestampEquals", "2020-01-01T00:00:00Z", "2020-01-01 00:00:00Z", False),
        ("StringMatches", "a*c", "abc", True),
        ("StringMatches", "a*c", "a\nc", True),
        ("StringMatches", "a\\*c", "a*c", True),
        ("StringMatches", "a\\*c", "abc", False),
        ("StringMatches", "a\\\\*", "a\\b", True),
        ("StringMatches", "a.c", "abc", False),
        ("StringMatches", "*", "", True),
        ("StringMatches", "*", 5, False),
        ("IsNull", True, None, True),
        ("IsNull", False, 0, True),
        ("IsString", True, "", True),
        ("IsNumeric", True, True, False),
        ("IsBoolean", True, False, True),
        ("IsTimestamp", True, "2020-02-30T00:00:00Z", False),
        ("IsTimestamp", True, "2020-02-28T00:00:00z", False),
        ("IsTimestamp", True, "2020-02-28T00:00:00Z", True),
        ("IsPresent", True, None, True),
    ],
)
def test_operators(operator: str, right: Any, left: Any, holds: bool) -> None:
    assert chosen({"Variable": "$.v", operator: right}, {"v": left}) is holds


def test_right_sides_behind_a_path() -> None:
    rule = {"Variable": "$.v", "NumericLessThanPath": "$.w"}
    assert chosen(rule, {"v": 1, "w": 2}) is True
    assert chosen(rule, {"v": 1, "w": "2"}) is False
    assert chosen(rule, {"v": 1}) == "States.Runtime"


def test_what_is_not_there() -> None:
    assert chosen({"Variable": "$.v", "IsPresent": False}, {}) is True
    assert chosen({"Variable": "$.v", "IsNull": True}, {}) == "States.Runtime"


def test_and_or_not() -> None:
    small = {"Variable": "$.v", "NumericLessThan": 5}
    even = {"Variable": "$.even", "BooleanEquals": True}
    assert chosen({"And": [small, even]}, {"v": 4, "even": True}) is True
    assert chosen({"Or": [{"Not": small}, even]}, {"v": 4, "even": False}) is False


def test_no_rule_and_no_default() -> None:
    choice = {"Variable": "$.v", "NumericEquals": 1, "Next": "Y"}
    states = {"C": {"Type": "Choice", "Choices": [choice]}, "Y": {"Type": "Succeed"}}
    run = World().run(parse({"StartAt": "C", "States": states}), {"v": 2})
    assert run.execution.error == "States.NoChoiceMatched"


def test_moments() -> None:
    assert moment("1970-01-01T00:00:01Z") == 1.0
    assert moment("2016-12-05T25:29:29Z") is None
    assert moment(5) is None


@pytest.mark.parametrize("value", [None, True, 12, "é" * 1000, [1, {"a": "b"}], "\ud800"])
def test_sizes_are_never_too_small(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    exact = len(text.encode(errors="surrogatepass"))
    assert exact <= size(value) <= exact + 4
