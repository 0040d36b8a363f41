"""The table of states has no dead ends but the settled ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from funcflow import states
from funcflow.states import CompositionState, State


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


def test_a_composition_that_succeeded_is_at_its_end() -> None:
    moves = states.COMPOSITION_TRANSITIONS
    ends = {state for state in CompositionState if not any(state is b for b, _ in moves)}
    assert ends == {CompositionState.SUCCEEDED}
    assert set(CompositionState) == (
        states.COMPOSITION_OPEN | states.COMPOSITION_SETTLED | {CompositionState.DEAD}
    )
    assert all(moves.values())
    assert states.composition_allowed(CompositionState.WAITING, CompositionState.QUEUED)
    assert not states.composition_allowed(CompositionState.WAITING, CompositionState.RUNNING)


def test_the_document_shows_the_tables() -> None:
    text = (Path(__file__).parents[2] / "doc/promises.md").read_text()
    tables = [*states.TRANSITIONS.items(), *states.COMPOSITION_TRANSITIONS.items()]
    for (before, after), reason in tables:
        assert f"| {before} | {after} | {reason} |" in text
