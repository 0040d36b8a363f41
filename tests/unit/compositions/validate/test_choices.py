"""Rules of Choice states."""

from __future__ import annotations

from typing import Any

import pytest

from funcflow.compositions.validate import choices
from tests.unit.compositions.validate.build import Found, of_state

V = {"Variable": "$.a"}
LITERALS: dict[str, Any] = {
    "String": "x",
    "Numeric": 1.5,
    "Boolean": True,
    "Timestamp": "2016-08-18T17:33:00Z",
}


def of_rule(rule: Any, **fields: Any) -> Found:
    found = of_state({"Type": "Choice", "Choices": [rule], **fields})
    return {(code, pointer.removeprefix("/Choices/0")) for code, pointer in found}


def test_there_are_all_39_operators() -> None:
    assert len(choices.OPERATORS) + len(choices.PATH_OPERATORS) == 39


@pytest.mark.parametrize(("operator", "kind"), choices.OPERATORS.items())
def test_operators_take_their_kind(operator: str, kind: str) -> None:
    assert of_rule({**V, operator: LITERALS[kind], "Next": "B"}) == set()
    for other in (None, [], 1, "x", True):
        fits = type(other) is type(LITERALS[kind]) or (kind == "Numeric" and other == 1)
        if not fits or kind == "Timestamp":
            expected = "bad_value" if kind == "Timestamp" and other == "x" else "wrong_type"
            if other is True and kind == "Numeric":
                expected = "wrong_type"
            assert of_rule({**V, operator: other, "Next": "B"}) == {(expected, f"/{operator}")}


@pytest.mark.parametrize("operator", choices.PATH_OPERATORS)
def test_path_operators_take_paths(operator: str) -> None:
    assert of_rule({**V, operator: "$.b", "Next": "B"}) == set()
    assert of_rule({**V, operator: "b", "Next": "B"}) == {("bad_path", f"/{operator}")}
    assert of_rule({**V, operator: 1, "Next": "B"}) == {("wrong_type", f"/{operator}")}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"And": [{**V, "IsNull": True}, {"Not": {**V, "IsString": True}}], "Next": "B"}, set()),
        ({"Or": [{**V, "IsNull": True, "Comment": "c"}], "Next": "B", "Assign": {"x": 1}}, set()),
        (1, {("wrong_type", "")}),
        ({**V, "IsNull": True}, {("missing_field", "")}),
        ({**V, "Next": "B"}, {("missing_field", "")}),
        ({"IsNull": True, "Next": "B"}, {("missing_field", "")}),
        ({**V, "IsNul": True, "Next": "B"}, {("unknown_field", "/IsNul"), ("missing_field", "")}),
        ({**V, "IsNull": True, "IsString": True, "Next": "B"}, {("conflict", "/IsString")}),
        ({"Variable": "a", "IsNull": True, "Next": "B"}, {("bad_path", "/Variable")}),
        ({"And": [], "Next": "B"}, {("bad_value", "/And")}),
        ({"Not": [], "Next": "B"}, {("wrong_type", "/Not")}),
        ({**V, "Not": {**V, "IsNull": True}, "Next": "B"}, {("conflict", "/Variable")}),
        (
            {"And": [{**V, "IsNull": True, "Next": "B"}], "Next": "B"},
            {("unknown_field", "/And/0/Next")},
        ),
        (
            {"Not": {**V, "IsNull": True, "Assign": {"x": 1}}, "Next": "B"},
            {("unknown_field", "/Not/Assign")},
        ),
        ({**V, "IsNull": True, "Next": "B", "Output": 1}, {("unknown_field", "/Output")}),
        (
            {"Condition": True, "Next": "B"},
            {("unknown_field", "/Condition"), ("missing_field", "")},
        ),
    ],
)
def test_rules(rule: Any, expected: Found) -> None:
    assert of_rule(rule) == expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"Condition": "{% $x = 1 %}", "Next": "B", "Output": "{% 1 %}"}, set()),
        ({"Condition": True, "Next": "B", "Assign": {"x": "{% 1 %}"}}, set()),
        ({"Condition": "{% 1 + %}", "Next": "B"}, {("bad_expression", "/Condition")}),
        ({"Condition": "true", "Next": "B"}, {("wrong_type", "/Condition")}),
        ({"Next": "B"}, {("missing_field", "")}),
        (
            {**V, "IsNull": True, "Next": "B"},
            {("unknown_field", "/Variable"), ("unknown_field", "/IsNull"), ("missing_field", "")},
        ),
    ],
)
def test_conditions(rule: Any, expected: Found) -> None:
    assert of_rule(rule, QueryLanguage="JSONata") == expected


def test_choices_must_be_there() -> None:
    assert of_state({"Type": "Choice"}) == {("missing_field", "")}
    assert of_state({"Type": "Choice", "Choices": []}) == {("bad_value", "/Choices")}
    assert of_state({"Type": "Choice", "Choices": {}}) == {("wrong_type", "/Choices")}


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("2016-08-18T17:33:00Z", True),
        ("2016-08-18T17:33:00.123456789Z", True),
        ("2016-08-18T17:33:00-08:00", True),
        ("2016-08-18t17:33:00Z", False),
        ("2016-08-18T17:33:00z", False),
        ("2016-08-18 17:33:00Z", False),
        ("2016-08-18T17:33:00", False),
        ("2016-13-18T17:33:00Z", False),
        ("2016-08-18T25:33:00Z", False),
        ("2016-08-18T17:33Z", False),
    ],
)
def test_timestamps(text: str, good: bool) -> None:
    assert choices.is_timestamp(text) is good
