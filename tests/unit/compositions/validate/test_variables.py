"""Names of variables, and who may read or hide which."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.compositions.validate.build import Found, found, machine, of_state

PASS = {"Type": "Pass", "Next": "B"}


@pytest.mark.parametrize(
    ("assign", "expected"),
    [
        ({"x": 1, "y_2.$": "$.a", "größe": None}, set()),
        ({"x.$": "a"}, {("bad_expression", "/Assign/x.$")}),
        ({"top-level": 1}, {("bad_value", "/Assign/top-level")}),
        ({"1x": 1}, {("bad_value", "/Assign/1x")}),
        ({"states": 1}, {("bad_value", "/Assign/states")}),
        ({"x" * 81: 1}, {("bad_value", f"/Assign/{'x' * 81}")}),
        (1, {("wrong_type", "/Assign")}),
    ],
)
def test_names(assign: Any, expected: Found) -> None:
    assert of_state({**PASS, "Assign": assign}) == expected


def nested(inner: dict[str, Any], distributed: bool = False, **fields: Any) -> dict[str, Any]:
    """A first state that assigns x, then a Map around one state with these fields."""
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"} if distributed else {}
    processor = {
        "ProcessorConfig": config,
        "StartAt": "I",
        "States": {"I": {"Type": "Pass", "End": True, **inner}},
    }
    return {
        "StartAt": "First",
        "States": {
            "First": {"Type": "Pass", "Assign": {"x": 1}, "Next": "Map"},
            "Map": {"Type": "Map", "ItemProcessor": processor, "End": True, **fields},
        },
    }


def test_an_inner_variable_hides_no_outer_one() -> None:
    at = "/States/Map/ItemProcessor/States/I/Assign"
    assert found(nested({"Assign": {"x": 1, "y": 2}})) == {("duplicate_name", at)}
    assert found(nested({"Assign": {"y": 2}})) == set()
    assert found(nested({"Assign": {"x": 1}}, distributed=True)) == set()


def test_what_the_state_around_assigns_is_free_within() -> None:
    """It is assigned only when the inner machine is at its end."""
    assert found(nested({"Assign": {"y": 1}}, Assign={"y": 2})) == set()
    catch = [{"ErrorEquals": ["E"], "Next": "First", "Assign": {"y": 2}}]
    assert found(nested({"Assign": {"y": 1}}, Catch=catch)) == set()


def test_reading_what_nobody_assigns_is_a_warning() -> None:
    state = {**PASS, "Parameters": {"a.$": "$x", "b.$": "States.Format('{}', $y)"}}
    state["Assign"] = {"y": 1}
    assert found(machine(state)) == set()
    assert found(machine(state), severity="warning") == {("unassigned", "/States/A/Parameters")}


def test_inner_states_read_outer_variables_unless_distributed() -> None:
    inner = {"Parameters": {"a.$": "$x"}}
    assert found(nested(inner), severity="warning") == set()
    assert found(nested(inner, distributed=True), severity="warning") == {
        ("unassigned", "/States/Map/ItemProcessor/States/I/Parameters")
    }
    # And the other way round: what the inner one assigns is lost at its end.
    outside = nested({"Assign": {"y": 1}}, ResultSelector={"a.$": "$y"})
    assert found(outside, severity="warning") == {("unassigned", "/States/Map/ResultSelector")}
