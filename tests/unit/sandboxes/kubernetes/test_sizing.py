"""Warm pods from arrivals, and several conductors' wishes for one pool."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcflow.sandboxes.kubernetes import sizing

DEMAND = "demand.funcflow.openstack.org/"


@pytest.mark.parametrize(
    ("rate", "refill", "wanted"),
    [(0.0, 3.0, 1), (0.1, 1.0, 1), (1.0, 1.0, 3), (4.0, 1.0, 8), (100.0, 3.0, 10)],
)
def test_as_many_as_are_started_while_one_is_made(rate: float, refill: float, wanted: int) -> None:
    assert sizing.wanted(rate, refill, least=1, most=10) == wanted


@given(st.floats(0, 1e4), st.floats(0.01, 60), st.integers(0, 5), st.integers(5, 50))
def test_never_outside_its_bounds(rate: float, refill: float, least: int, most: int) -> None:
    assert least <= sizing.wanted(rate, refill, least, most) <= most


def test_a_burst_is_seen_at_once_and_a_trickle_not_forgotten() -> None:
    arrivals = sizing.Arrivals(1000.0)
    assert arrivals.rate(1000.0) == 0
    for _ in range(10):
        arrivals.add(1000.0)
    assert arrivals.rate(1000.1) == 2.0
    assert arrivals.rate(1010.0) == pytest.approx(10 / 60)
    assert arrivals.last == 1000.0
    assert arrivals.rate(1061.0) == 0


def test_wishes_of_conductors_add_up() -> None:
    annotations = {f"{DEMAND}a": "2", f"{DEMAND}b": "3", f"{DEMAND}c": "x", "other": "9"}
    there = sizing.demands(annotations)
    assert there == {"a": 2, "b": 3}
    assert sizing.agreed(there, "a", 1, dead=[]) == {"a": 1, "b": 3}
    assert sizing.agreed(there, "d", 4, dead=["b"]) == {"a": 2, "d": 4}
    assert sizing.agreed(there, "a", 0, dead=["b"]) == {}
    assert sizing.demands(None) == {}
