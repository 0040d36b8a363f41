"""The index follows what a watch tells, and finds warm pods and workers in it."""

from __future__ import annotations

import threading
from typing import Any

from funcflow.sandboxes.kubernetes.index import Index

PREFIX = "funcflow.openstack.org/"


def pod(uid: str, ready: bool = True, created: str = "1", **labels: str) -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": "n",
            "name": uid,
            "uid": uid,
            "resourceVersion": "1",
            "creationTimestamp": created,
            "labels": {f"{PREFIX}{name}": value for name, value in labels.items()},
        },
        "spec": {},
        "status": {"conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def names(index: Index, pool: str = "w") -> list[str]:
    return [found.name for found in index.warm("n", pool)]


def test_warm_are_ready_pods_of_a_pool_oldest_first() -> None:
    index = Index()
    index.replace(
        [
            pod("young", created="2", pool="w"),
            pod("old", created="1", pool="w"),
            pod("coming", ready=False, pool="w"),
            pod("other", pool="x"),
            pod("taken", owner="me"),
        ]
    )
    assert names(index) == ["old", "young"]
    assert [found.name for found in index.owned("me")] == ["taken"]


def test_events_move_pods() -> None:
    index = Index()
    index.event("ADDED", pod("a", ready=False, pool="w"))
    assert names(index) == []
    index.event("MODIFIED", pod("a", pool="w"))
    assert names(index) == ["a"]
    (found,) = index.warm("n", "w")
    index.take(found)
    assert names(index) == []
    index.event("MODIFIED", pod("a", owner="me"))
    assert names(index) == []
    assert index.owned("me")
    index.event("DELETED", pod("a", owner="me"))
    assert index.all() == []
    assert index.get(found) is None


def test_a_list_forgets_what_is_gone() -> None:
    index = Index()
    index.event("ADDED", pod("a", pool="w"))
    index.replace([pod("b", pool="w")])
    assert names(index) == ["b"]


def test_waiting_for_a_pod() -> None:
    index = Index()
    made = index.add(pod("a", ready=False, owner="me"))
    late = threading.Timer(0.05, index.event, ("MODIFIED", pod("a", owner="me")))
    late.start()
    found = index.until(made, lambda now: now is None or now.ready, 10)
    late.join()
    assert found is not None
    assert found.ready
    assert index.until(made, lambda now: now is None, 0.01) == found
    index.event("DELETED", pod("a"))
    assert index.until(made, lambda now: now is None, 10) is None
