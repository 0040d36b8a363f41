"""What projects see of executions of what others share with them."""

from __future__ import annotations

import dataclasses

import pytest

from funcflow import models, outward
from tests.unit.db import composition_factory, factory


def test_own_executions_are_seen_whole() -> None:
    call = factory.execution(input="1", output="2")
    whole = dataclasses.replace(
        composition_factory.execution(input="1"), error="States.Runtime", cause="quotes"
    )
    assert outward.seen(call) == call
    assert outward.seen(whole) == whole


def test_steps_of_others_show_neither_input_nor_output() -> None:
    call = dataclasses.replace(factory.execution(input="1"), output="2", hidden=True)
    assert outward.seen(call) == dataclasses.replace(call, input=None, output=None)
    child: models.CompositionExecution = dataclasses.replace(
        composition_factory.execution(input="1"), hidden=True, output="2"
    )
    assert (outward.seen(child).input, outward.seen(child).output) == (None, None)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("States.Runtime", None),
        ("States.TaskFailed", None),
        ("Lambda.ResourceNotFoundException", None),
        ("StepFunctions.StateMachineDoesNotExistException", None),
        ("ValueError", "because"),
        (None, "because"),
    ],
)
def test_causes_that_quote_the_definition_are_left_out(error: str | None, told: str | None) -> None:
    failed = dataclasses.replace(
        composition_factory.execution(input="1"), error=error, cause="because", borrowed=True
    )
    seen = outward.seen(failed)
    assert (seen.error, seen.cause, seen.input) == (error, told, "1")
