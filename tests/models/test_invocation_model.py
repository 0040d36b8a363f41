"""Every way an invocation can go, explored; and every guard, shown to be needed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.models import explorer
from tests.models import invocation_model as model

PROTOCOL = Path(__file__).parents[2] / "doc/protocol.md"


@pytest.mark.parametrize("at_most_once", [False, True])
def test_every_invariant_holds_everywhere(at_most_once: bool) -> None:
    report = explorer.explore(model.Invocation(at_most_once=at_most_once).model())
    assert report.broken is None, report
    assert report.states > 10_000


@pytest.mark.parametrize("guard", model.MUTANTS)
def test_without_a_guard_its_invariant_breaks(guard: str) -> None:
    mutant = model.Invocation(at_most_once=guard in model.AT_MOST_ONCE, without=guard)
    report = explorer.explore(mutant.model())
    assert report.broken == model.MUTANTS[guard], report


def test_every_invariant_is_broken_by_some_mutant() -> None:
    names = {invariant.__name__ for invariant in model.INVARIANTS}
    names |= {model.AtMostOnceRunsOnce.__name__, model.NothingAcceptedIsLost.__name__}
    assert names == set(model.MUTANTS.values())


def test_the_protocol_page_tells_every_guard_and_invariant() -> None:
    page = re.sub(r"\s+", " ", PROTOCOL.read_text())
    missing = [name for name in {*model.MUTANTS, *model.MUTANTS.values()} if name not in page]
    assert missing == []


def test_the_explorer_sees_what_stands_still_and_what_turns_for_ever() -> None:
    def go(state: int) -> list[explorer.Step[int]]:
        steps = {0: [1, 2], 1: [3], 2: [4], 4: [2]}
        return [explorer.Step(f"to {after}", after) for after in steps.get(state, [])]

    def Arrives(state: int) -> bool:
        return state == 3

    report = explorer.explore(explorer.Model(0, go, (), Arrives))
    assert (report.broken, report.trace) == ("Arrives", ("to 2", "for ever"))
    report = explorer.explore(explorer.Model(1, go, (), Arrives))
    assert report == explorer.Report(2)
    report = explorer.explore(explorer.Model(1, go, (), lambda state: state == 0))
    assert report.trace == ("to 3",)
