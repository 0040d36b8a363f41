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


def renewed(owner: str, at: str) -> dict[str, Any]:
    spec = {"holderIdentity": "somebody", "renewTime": at}
    return {"metadata": {"name": f"conductor-{owner}"}, "spec": spec}


def test_it_lives_as_long_as_it_renews_whatever_its_clock_says(clock: Clock) -> None:
    leases = Leases(10.0)
    for at in ("2026-01-01T12:00:00Z", "2026-01-01T11:00:00Z", "2040-01-01T00:00:00Z"):
        leases.event("MODIFIED", renewed("a", at))
        clock.now += 9
        assert not leases.dead("a")
    leases.replace([renewed("a", "2040-01-01T00:00:00Z")])
    clock.now += 2
    assert leases.dead("a")


def test_one_without_a_lease_gets_the_same_patience(clock: Clock) -> None:
    leases = Leases(10.0)
    assert not leases.dead("a")
    clock.now += 9
    assert not leases.dead("a")
    clock.now += 2
    assert leases.dead("a")
    leases.event("ADDED", renewed("a", "1"))
    assert not leases.dead("a")
    leases.event("DELETED", renewed("a", "1"))
    assert not leases.dead("a")
