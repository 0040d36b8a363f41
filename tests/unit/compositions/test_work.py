"""What tasks that run workflows ask for."""

from __future__ import annotations

from typing import Any

import pytest

from funcflow.compositions.failures import RUNTIME, Failure
from funcflow.compositions.resources import parse_resource
from funcflow.compositions.work import RunWorkflow, read


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
