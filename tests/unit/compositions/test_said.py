"""Whether a definition says what a task calls, or computes it."""

from __future__ import annotations

from typing import Any

import pytest

from funcflow.compositions import work
from funcflow.compositions.resources import parse_resource

INVOKE = "arn:aws:states:::lambda:invoke"
START = "arn:aws:states:::states:startExecution"


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
