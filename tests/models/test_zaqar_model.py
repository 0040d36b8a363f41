"""Every order in which a message of Zaqar can be fetched; and every guard, shown to be needed."""

from __future__ import annotations

import pytest

from tests.models import explorer
from tests.models import zaqar_model as model


def test_every_invariant_holds_everywhere() -> None:
    report = explorer.explore(model.Zaqar().model())
    assert report.broken is None, report
    assert report.states > 200


@pytest.mark.parametrize("guard", model.MUTANTS)
def test_without_a_guard_its_invariant_breaks(guard: str) -> None:
    report = explorer.explore(model.Zaqar(without=guard).model())
    assert report.broken == model.MUTANTS[guard], report


def test_every_invariant_is_broken_by_some_mutant() -> None:
    names = {invariant.__name__ for invariant in (*model.INVARIANTS, model.NothingIsLost)}
    assert names == set(filter(None, model.MUTANTS.values()))
