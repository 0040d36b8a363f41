"""The table of states has no dead ends but the settled ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from funcflow import states
from funcflow.states import State


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_a_v1_word(state: State) -> None:
    assert states.V1_STATUS[state]


@pytest.mark.parametrize("state", sorted(states.SETTLED))
def test_settled_is_the_end(state: State) -> None:
    assert not [after for before, after in states.TRANSITIONS if before is state]


@pytest.mark.parametrize("state", sorted(set(State) - states.SETTLED))
def test_everything_else_goes_on(state: State) -> None:
    assert [after for before, after in states.TRANSITIONS if before is state]


def test_every_move_has_a_reason() -> None:
    assert all(states.TRANSITIONS.values())
    assert states.allowed(State.QUEUED, State.RUNNING)
    assert not states.allowed(State.SUCCEEDED, State.RUNNING)


def test_the_document_shows_the_table() -> None:
    text = (Path(__file__).parents[2] / "doc/promises.md").read_text()
    for (before, after), reason in states.TRANSITIONS.items():
        assert f"| {before} | {after} | {reason} |" in text
