"""Verdicts of five validators and of AWS itself on whole definitions."""

from __future__ import annotations

import re
from typing import Any

import pytest

from funcflow.compositions.compile import compile_definition, problems
from funcflow.compositions.problems import Problem
from funcflow.compositions.source import read
from tests.conformance import cases

#: Part of a case's name -> why funcflow means to judge otherwise than the case's author.
DISAGREEMENTS = {
    "valid__awslabs_task_with_credentials": "AWS refuses Credentials without RoleArn (recorded)",
    "valid__christophebougere_valid_assign_asl": "a variable's name has no dash in AWS's rules",
    "valid__christophebougere_valid_task_intrisic_function": "CloudFormation's Fn::GetAtt and Ref"
    " are replaced before a definition is sent",
    "aws_YAML_context_aware_validation_Test_validation_of_Properties_field_Does_not_show"
    "_diagnostics_for_valid_Intr": "its States.Format has no commas",
    "invalid_json_surround_syntax_extra_spaces": "blanks inside {% %} belong to the expression",
    "invalid_jsonata_surround_syntax_no_spaces": "AWS asks for {% and %}, not for blanks",
}

#: Deployment tools fill these in; the samples are published with them.
_FILLINGS: dict[str, Any] = {"Resource": "placeholder", "Seconds": 1}
_PLACEHOLDER = re.compile(r"\$\{?[A-Za-z]\w*\}?")


def filled(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: filled(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [filled(each) for each in value]
    filling = _FILLINGS.get(key)
    if filling is not None and isinstance(value, str) and _PLACEHOLDER.fullmatch(value):
        return filling
    return value


def judge(case: cases.Case) -> tuple[Problem, ...]:
    source = case.get("definition_text") or case["definition"]
    if "definition" not in case:
        found = problems(source, case["type"])
        if any(problem.code in ("syntax", "duplicate_key") for problem in found):
            return found
        source = read(source).data
    return problems(filled(source), case["type"])


@pytest.mark.parametrize("name", cases.names("asl-lint"))
def test_the_verdict_is_that_of_the_author(name: str) -> None:
    case = cases.load("asl-lint", name)
    found = judge(case)
    errors = [problem for problem in found if problem.severity == "error"]
    meant = any(part in name for part in DISAGREEMENTS)
    assert bool(errors) is (case["valid"] is meant), "\n".join(map(str, found))


@pytest.mark.parametrize("name", cases.names("asl-lint"))
def test_what_is_valid_compiles(name: str) -> None:
    case = cases.load("asl-lint", name)
    if not [problem for problem in judge(case) if problem.severity == "error"]:
        source = case.get("definition_text") or case["definition"]
        data = filled(read(source).data)
        definition = compile_definition(data, case["type"])
        assert definition.machine.start_at in definition.states


def test_every_disagreement_is_about_some_case() -> None:
    names = cases.names("asl-lint")
    if names:
        for part in DISAGREEMENTS:
            assert any(part in name for name in names), part
