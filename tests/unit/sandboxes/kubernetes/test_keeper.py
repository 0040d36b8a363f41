"""How long a start waits for a first look at the cluster."""

from __future__ import annotations

import threading

import pytest

from funcflow.sandboxes.kubernetes import keeper


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "FIRST_LOOK", 0.0)
    monkeypatch.setattr(keeper, "SLOW_LOOK", 0.0)


def test_what_is_known_needs_no_wait() -> None:
    known = threading.Event()
    known.set()
    assert keeper.looked(known, lambda: "away") is None


def test_what_is_wrong_is_told() -> None:
    assert keeper.looked(threading.Event(), lambda: "away") == "away"


def test_where_nothing_is_wrong_a_slow_cluster_gets_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "not looked at" in (keeper.looked(threading.Event(), lambda: None) or "")
    monkeypatch.setattr(keeper, "SLOW_LOOK", 60.0)
    known = threading.Event()

    def trouble() -> None:
        known.set()  # It comes while nobody complains.

    assert keeper.looked(known, trouble) is None
