"""Recorded machines of one Pass state: its template alone gives the recorded answer.

Narrower than :mod:`.test_asl`, so that a wrong answer of an expression shows as one.
"""

from __future__ import annotations

from typing import Any

import pytest

from funcflow.compositions.expressions import (
    Language,
    Malformed,
    Scope,
    compile_template,
)
from funcflow.compositions.failures import Failure
from tests.conformance import cases

_FIELDS = ("Parameters", "Output")
#: Another engine's word against what AWS was seen to do.
OVERRULED = {
    "manageiq_intrinsic_States_Format_fails_with_wrong_type_of_arguments_2": "AWS prints objects",
    "manageiq_intrinsic_States_Format_fails_with_wrong_type_of_arguments_3": "AWS prints lists",
    "manageiq_intrinsic_States_Format_fails_with_wrong_type_of_arguments_4": "AWS prints lists",
    "manageiq_intrinsic_States_MathAdd_fails_with_wrong_type_of_arguments_3": "AWS rounds",
}


def _state(case: cases.Case) -> dict[str, Any] | None:
    """The one state of a machine whose answer is that of one template, else None."""
    definition = case.get("definition")
    if case["kind"] != "execution" or not isinstance(definition, dict):
        return None
    if case["expect"].get("wildcard_tokens") or "input" not in case:
        return None
    states = list(definition["States"].values())
    if len(states) != 1 or states[0]["Type"] != "Pass":
        return None
    state: dict[str, Any] = states[0]
    plain = set(state) <= {"Type", "End", "Comment", "QueryLanguage", *_FIELDS}
    one = sum(field in state for field in _FIELDS) == 1
    return state if plain and one and "<" not in str(case["expect"]) else None


SINGLE = [
    (group, name)
    for group in ("asl", "asl-other")
    for name in cases.names(group)
    if name not in OVERRULED and _state(cases.load(group, name)) is not None
]


@pytest.mark.skipif(cases.folder() is None, reason="the recorded cases are not here")
def test_there_are_cases() -> None:
    assert len(SINGLE) > 100


@pytest.mark.parametrize(("group", "name"), SINGLE)
def test_the_template_gives_the_recorded_answer(group: str, name: str) -> None:
    case = cases.load(group, name)
    state, expect = _state(case), case["expect"]
    assert state is not None
    field = next(field for field in _FIELDS if field in state)
    language = Language(
        state.get("QueryLanguage") or case["definition"].get("QueryLanguage") or "JSONPath"
    )
    scope = Scope(case["input"], {"Execution": {"Input": case["input"], "Name": "n"}})
    if expect["status"] == "SUCCEEDED":
        value = compile_template(state[field], language, field).evaluate(scope)
        if "RandomNumberGenerated" not in str(expect["output"]):
            assert cases.normal(value) == cases.normal(expect["output"])
        return
    try:
        template = compile_template(state[field], language, field)
    except Malformed:
        assert expect.get("or_rejected_at_creation")
        return
    with pytest.raises(Failure) as failure:
        template.evaluate(scope)
    assert failure.value.error in expect.get("error_in", [expect.get("error")])
    if expect.get("cause"):
        assert expect["cause"].endswith(failure.value.cause)
