"""Every way a composition execution can go, explored; and every guard, shown to be needed."""

from __future__ import annotations

import re

import pytest

from tests.models import composition_invariants as invariants
from tests.models import explorer
from tests.models.composition_model import CompositionExecution
from tests.models.composition_state import Fold, fold
from tests.models.test_invocation_model import PROTOCOL


@pytest.mark.parametrize(("faults", "requests"), [(2, 1), (1, 2)])
def test_every_invariant_holds_everywhere(faults: int, requests: int) -> None:
    model = CompositionExecution(faults=faults, requests=requests).model()
    report = explorer.explore(model)
    assert report.broken is None, report
    assert report.states > 100_000


@pytest.mark.parametrize("guard", invariants.MUTANTS)
def test_without_a_guard_its_invariant_breaks(guard: str) -> None:
    report = explorer.explore(CompositionExecution(without=guard).model())
    assert report.broken == invariants.MUTANTS[guard], report


def test_every_invariant_is_broken_by_some_mutant() -> None:
    names = {invariant.__name__ for invariant in invariants.INVARIANTS}
    assert names | {"NothingAcceptedIsLost"} == set(invariants.MUTANTS.values())


def test_the_protocol_page_tells_every_guard_and_invariant() -> None:
    page = re.sub(r"\s+", " ", PROTOCOL.read_text())
    names = {*invariants.MUTANTS, *invariants.MUTANTS.values()}
    assert [name for name in sorted(names) if name not in page] == []


def test_a_log_is_what_its_signals_amount_to() -> None:
    both = frozenset({"E", "T"})
    assert fold(()) == Fold("new", 0, frozenset())
    assert fold(("S",)) == Fold("running", 0, both)
    assert fold(("S", "L0", "T0")) == Fold("running", 0, frozenset({"E"}))
    assert fold(("S", "T0", "E0", "L0")) == Fold("succeeded", 0, frozenset())
    stopped = ("S", "T0", "X", "E0")
    assert fold(stopped) == Fold("aborted", 0, frozenset())
    assert fold((*stopped, "R", "E0")) == Fold("running", 1, frozenset({"E"}))
    assert fold((*stopped, "R", "E1", "L1")) == Fold("succeeded", 1, frozenset())
