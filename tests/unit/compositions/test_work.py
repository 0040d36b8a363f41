"""What tasks ask for, and whether a definition says it or computes it."""

from __future__ import annotations

from typing import Any

import pytest

from funcflow.compositions import work
from funcflow.compositions.failures import RUNTIME, Failure
from funcflow.compositions.resources import parse_resource
from funcflow.compositions.work import RunWorkflow, read

INVOKE = "arn:aws:states:::lambda:invoke"
START = "arn:aws:states:::states:startExecution"


@pytest.mark.parametrize(
    ("resource", "arguments", "wanted"),
    [
        ("mistral:workflow:heal", {"server": "vm"}, RunWorkflow("heal", {"server": "vm"})),
        ("mistral:workflow:heal", None, RunWorkflow("heal", {})),
        ("mistral:workflow", {"Workflow": "heal"}, RunWorkflow("heal", {})),
        (
            "mistral:workflow",
            {
                "Workflow": "heal", "Input": '{"n": 1}', "Namespace": "ops", "Env": {"e": 2},
                "Description": "why",
            },
            RunWorkflow("heal", {"n": 1}, "ops", {"e": 2}, "why"),
        ),
    ],
)  # fmt: skip
def test_a_workflow_and_its_input(resource: str, arguments: Any, wanted: RunWorkflow) -> None:
    assert read(parse_resource(resource), arguments) == wanted


@pytest.mark.parametrize(
    ("resource", "arguments", "why"),
    [
        ("mistral:workflow:heal", [1], "must be an object"),
        ("mistral:workflow", {"Input": {}}, "lack Workflow"),
        ("mistral:workflow", {"Workflow": "w", "Input": [1]}, "must be objects"),
        ("mistral:workflow", {"Workflow": "w", "Env": "x"}, "must be objects"),
    ],
)
def test_what_is_no_input(resource: str, arguments: Any, why: str) -> None:
    with pytest.raises(Failure, match=why) as caught:
        read(parse_resource(resource), arguments)
    assert caught.value.error == RUNTIME


@pytest.mark.parametrize(
    ("resource", "written", "arguments", "said"),
    [
        ("resize:live", None, {"a": 1}, True),
        ("arn:aws:states:eu:1:activity:build", None, {}, True),
        (INVOKE, {"FunctionName": "f", "Payload.$": "$"}, {"FunctionName": "f"}, True),
        (INVOKE, {"FunctionName": "f:1"}, {"FunctionName": "f", "Qualifier": "1"}, True),
        (INVOKE, {"FunctionName.$": "$.f"}, {"FunctionName": "f"}, False),
        (INVOKE, {"FunctionName": "{% $f %}"}, {"FunctionName": "f"}, False),
        (INVOKE, {"FunctionName": "f", "Qualifier.$": "$.q"},
         {"FunctionName": "f", "Qualifier": "2"}, False),
        (INVOKE, None, {"FunctionName": "f"}, False),
        (INVOKE, "{% $states.input %}", {"FunctionName": "f"}, False),
        (START, {"StateMachineArn": "c"}, {"StateMachineArn": "c"}, True),
        (START, {"StateMachineArn": "c", "Input.$": "$"}, {"StateMachineArn": "c:2"}, False),
        (START, {"StateMachineArn": "{% 'c' %}"}, {"StateMachineArn": "c"}, False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("field", ["Parameters", "Arguments"])
def test_what_is_said(resource: str, written: Any, arguments: Any, said: bool, field: str) -> None:
    parsed = parse_resource(resource)
    state = {} if written is None else {field: written}
    assert work.said(state, parsed, work.read(parsed, arguments)) is said
