"""Whether another conductor lives is judged by our own clock."""

from __future__ import annotations

from typing import Any

import pytest

from funcflow.sandboxes.kubernetes import lease
from funcflow.sandboxes.kubernetes.lease import Leases


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(lease, "time", made)
    return made


@pytest.fixture
def leases(clock: Clock) -> Leases:
    """With one of our own, which is seen to be renewed."""
    made = Leases(10.0, lambda: "own")
    hear(made, clock)
    return made


def hear(leases: Leases, clock: Clock) -> None:
    leases.event("MODIFIED", renewed("own", str(clock.now)))


def renewed(owner: str, at: str) -> dict[str, Any]:
    spec = {"holderIdentity": "somebody", "renewTime": at}
    return {"metadata": {"name": f"conductor-{owner}"}, "spec": spec}


def test_it_lives_as_long_as_it_renews_whatever_its_clock_says(
    clock: Clock, leases: Leases
) -> None:
    for at in ("2026-01-01T12:00:00Z", "2026-01-01T11:00:00Z", "2040-01-01T00:00:00Z"):
        leases.event("MODIFIED", renewed("a", at))
        pass_by(leases, clock, 9)
        assert not leases.dead("a")
    leases.replace([renewed("a", "2040-01-01T00:00:00Z"), renewed("own", str(clock.now))])
    pass_by(leases, clock, 2)
    assert leases.dead("a")


def pass_by(leases: Leases, clock: Clock, seconds: int) -> None:
    """Time in which our own lease is seen to be renewed."""
    for _ in range(seconds):
        clock.now += 1
        hear(leases, clock)


def test_one_without_a_lease_gets_the_same_patience(clock: Clock, leases: Leases) -> None:
    assert not leases.dead("a")
    pass_by(leases, clock, 9)
    assert not leases.dead("a")
    pass_by(leases, clock, 2)
    assert leases.dead("a")
    leases.event("ADDED", renewed("a", "1"))
    assert not leases.dead("a")
    leases.event("DELETED", renewed("a", "1"))
    assert not leases.dead("a")


def test_nobody_is_judged_while_nothing_is_heard(clock: Clock, leases: Leases) -> None:
    """The API server is away: nobody can renew. When it is back all have time to."""
    leases.event("MODIFIED", renewed("a", "1"))
    leases.event("MODIFIED", renewed("b", "1"))
    assert not leases.dead("gone")
    clock.now += 1000
    assert not leases.dead("a")
    assert not leases.dead("gone")
    hear(leases, clock)
    assert not leases.dead("a")
    assert not leases.dead("gone")
    pass_by(leases, clock, 9)
    leases.event("MODIFIED", renewed("a", "2"))
    pass_by(leases, clock, 2)
    assert not leases.dead("a")
    assert leases.dead("b")
    assert leases.dead("gone")


def test_who_has_no_name_yet_judges_nobody(clock: Clock) -> None:
    leases = Leases(10.0, lambda: "")
    leases.event("ADDED", renewed("a", "1"))
    clock.now += 100
    assert not leases.dead("a")
