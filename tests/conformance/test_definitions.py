"""What AWS answered when a definition was created, validated or described."""

from __future__ import annotations

import pytest

from funcflow.compositions.compile import parse, parse_state, problems
from tests.conformance import cases

GROUPS = ("asl", "asl-needs-services")


def of_kinds(*kinds: str) -> list[tuple[str, str]]:
    return [
        (group, name)
        for group in GROUPS
        for kind, names in cases.kinds(group).items()
        if kind in kinds
        for name in names
    ]


@pytest.mark.parametrize(("group", "name"), of_kinds("create", "validate"))
def test_accepted_or_refused(group: str, name: str) -> None:
    case = cases.load(group, name)
    source = case.get("definition_text") or case["definition"]
    found = problems(source, case["type"])
    errors = [problem for problem in found if problem.severity == "error"]
    assert (not errors) is case["expect"]["accepted"], "\n".join(map(str, found))


@pytest.mark.parametrize(("group", "name"), of_kinds("validate"))
def test_the_problem_is_where_it_was_recorded(group: str, name: str) -> None:
    """AWS names a missing field's object, as funcflow does, and calls the root "/"."""
    case = cases.load(group, name)
    source = case.get("definition_text") or case["definition"]
    found = [p for p in problems(source, case["type"]) if p.severity == "error"]
    for diagnostic in case["expect"]["diagnostics"]:
        if diagnostic["code"] == "INVALID_JSON_DESCRIPTION":
            assert found[0].code == "syntax"
            continue
        # Of a misplaced QueryLanguage AWS tells the state, funcflow the field.
        places = {p.pointer.removesuffix("/QueryLanguage") or "/" for p in found}
        assert diagnostic["location"] in places


@pytest.mark.parametrize(("group", "name"), of_kinds("execution"))
def test_what_ran_is_valid(group: str, name: str) -> None:
    case = cases.load(group, name)
    source = case.get("definition_text") or case["definition"]
    assert parse(source, case.get("type") or "STANDARD").states


@pytest.mark.parametrize(("group", "name"), of_kinds("test_state"))
def test_states_tested_alone_are_valid(group: str, name: str) -> None:
    case = cases.load(group, name)
    definition = case["definition"]
    if "States" in definition:
        assert parse(definition).states
    else:
        assert parse_state(definition, "S").name == "S"


@pytest.mark.parametrize(("group", "name"), of_kinds("variable_references"))
def test_variables_read(group: str, name: str) -> None:
    case = cases.load(group, name)
    definition = parse(case["definition"], case["type"])
    read = {name: list(names) for name, names in definition.variable_references.items()}
    assert read == case["expect"]["variableReferences"]
