"""Names, targets, reachability and ends."""

from __future__ import annotations

from typing import Any

import pytest

from funcflow.compositions.compile import problems
from tests.unit.compositions.validate.build import found, machine

PASS = {"Type": "Pass", "End": True}
GOOD = machine({"Type": "Pass", "Next": "B"})


def test_the_base_is_good() -> None:
    everything = {**GOOD, "Comment": "c", "Version": "1.0", "TimeoutSeconds": 5}
    assert problems({**everything, "QueryLanguage": "JSONPath"}) == ()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"Comment": 1}, {("wrong_type", "/Comment")}),
        ({"Version": "2.0"}, {("bad_value", "/Version")}),
        ({"TimeoutSeconds": 0}, {("bad_value", "/TimeoutSeconds")}),
        ({"TimeoutSeconds": "5"}, {("wrong_type", "/TimeoutSeconds")}),
        ({"TimeoutSeconds": True}, {("wrong_type", "/TimeoutSeconds")}),
        ({"QueryLanguage": "XPath"}, {("bad_value", "/QueryLanguage")}),
        ({"StartAt": 1}, {("wrong_type", "/StartAt")}),
        ({"StartAt": "C"}, {("unknown_state", "/StartAt")}),
        ({"States": []}, {("wrong_type", "/States")}),
        ({"States": {}}, {("bad_value", "/States")}),
        ({"Extra": 1}, {("unknown_field", "/Extra")}),
    ],
)
def test_fields_of_the_machine(change: dict[str, Any], expected: set[tuple[str, str]]) -> None:
    assert found({**GOOD, **change}) == expected


def test_required_fields() -> None:
    assert [p.message for p in problems({})] == ["'StartAt' is required", "'States' is required"]


@pytest.mark.parametrize("definition", ["[]", "1", '"text"', "null"])
def test_what_is_no_object(definition: str) -> None:
    (problem,) = problems(definition)
    assert problem.severity == "error"


def test_targets_stay_in_their_machine() -> None:
    inner = {"StartAt": "I", "States": {"I": {"Type": "Pass", "Next": "B"}, "E": PASS}}
    definition = machine({"Type": "Parallel", "Branches": [inner], "Next": "E"})
    assert found(definition) == {
        ("unknown_state", "/States/A/Next"),
        ("unknown_state", "/States/A/Branches/0/States/I/Next"),
        ("unreachable", "/States/A/Branches/0/States/E"),
    }
    hints = {p.pointer: p.hint for p in problems(definition)}
    assert "another machine" in hints["/States/A/Next"]


def test_every_way_leads_somewhere() -> None:
    state = {
        "Type": "Choice",
        "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "X"}],
        "Default": "Y",
    }
    assert found(machine(state)) == {
        ("unknown_state", "/States/A/Choices/0/Next"),
        ("unknown_state", "/States/A/Default"),
    }
    state = {"Type": "Task", "Resource": "f", "Next": "X"}
    state["Catch"] = [{"ErrorEquals": ["E"], "Next": "Y"}]
    assert found(machine(state)) == {
        ("unknown_state", "/States/A/Next"),
        ("unknown_state", "/States/A/Catch/0/Next"),
    }


def test_a_misspelt_target_is_guessed() -> None:
    (problem, *_) = problems({"StartAt": "Frist", "States": {"First": {"Type": "Succeed"}}})
    assert problem.hint == "Did you mean 'First'?"


def test_unreachable_states_and_loops_without_end() -> None:
    loop = {
        "StartAt": "A",
        "States": {
            "A": {"Type": "Pass", "Next": "A"},
            "C": {"Type": "Pass", "Next": "D"},
            "D": {"Type": "Pass", "Next": "C"},
        },
    }
    assert found(loop) == {
        ("no_end", "/States"),
        ("unreachable", "/States/C"),
        ("unreachable", "/States/D"),
    }


def test_names_are_short_and_unique_in_the_whole() -> None:
    long = "x" * 81
    assert found({"StartAt": long, "States": {long: PASS}}) == {("bad_value", f"/States/{long}")}
    inner = {"StartAt": "B", "States": {"B": PASS}}
    definition = machine({"Type": "Parallel", "Branches": [inner], "Next": "B"})
    assert found(definition) == {("duplicate_name", "/States/B")}


def test_inner_machines_have_fewer_fields() -> None:
    inner = {"StartAt": "I", "States": {"I": PASS}, "TimeoutSeconds": 1, "ProcessorConfig": {}}
    definition = machine({"Type": "Parallel", "Branches": [inner], "Next": "B"})
    assert found(definition) == {
        ("unknown_field", "/States/A/Branches/0/TimeoutSeconds"),
        ("unknown_field", "/States/A/Branches/0/ProcessorConfig"),
    }


def test_query_languages_go_up_and_not_down() -> None:
    inner = {"StartAt": "I", "States": {"I": {**PASS, "QueryLanguage": "JSONPath"}}}
    state = {"Type": "Parallel", "Branches": [inner], "Next": "B", "QueryLanguage": "JSONata"}
    assert found(machine(state)) == set()
    assert found(machine(state, QueryLanguage="JSONata")) == {
        ("bad_language", "/States/A/Branches/0/States/I/QueryLanguage")
    }
    assert found(machine({"Type": "Pass", "End": True, "InputPath": "$.a"})) == set()


def test_inner_states_take_the_language_of_the_whole() -> None:
    """Not that of the state around them."""
    inner = {"StartAt": "I", "States": {"I": {**PASS, "InputPath": "$.a"}}}
    state = {"Type": "Parallel", "Branches": [inner], "Next": "B", "QueryLanguage": "JSONata"}
    assert found(machine(state)) == set()


def test_a_map_called_branches_is_a_map() -> None:
    processor = {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "I", "States": {"I": PASS}}
    state = {"Type": "Map", "ItemProcessor": processor, "End": True}
    assert found({"StartAt": "Branches", "States": {"Branches": state}}) == set()


def test_every_error_at_once_with_its_line() -> None:
    text = """\
StartAt: A
States:
  A:
    Type: Task
    Resource: "no such thing"
    TimeoutSeconds: 0
    Retry:
      - ErrorEquals: []
        BackoffRate: 0.5
    Next: Nowhere
  B:
    Type: Wait
    End: yes
"""
    assert [(p.line, p.code) for p in problems(text)] == [
        (2, "no_end"),
        (5, "bad_resource"),
        (6, "bad_value"),
        (8, "bad_value"),
        (9, "bad_value"),
        (10, "unknown_state"),
        (11, "missing_field"),
        (11, "unreachable"),
        (13, "wrong_type"),
    ]


def test_very_many_problems_are_counted_and_not_listed() -> None:
    state = {"Type": "Pass", "End": True, **{f"x{n}": 1 for n in range(2500)}}
    found = problems({"StartAt": "A", "States": {"A": state}})
    assert len(found) == 1001
    assert found[-1].message == "1500 more of severity error are not listed"
