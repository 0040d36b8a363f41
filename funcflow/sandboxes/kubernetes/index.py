"""The pods of this installation as the cluster last told us.

Fed by a :class:`~.watch.Watch`; asked by the rest of the driver, which never asks the API server
about pods itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from funcflow.sandboxes.kubernetes import names, pods
from funcflow.sandboxes.kubernetes.pods import Pod

Manifest = dict[str, Any]


class Index:
    """Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._pods: dict[str, Pod] = {}
        #: Uids of pods that wait in a pool, by (namespace, pool).
        self._warm: dict[tuple[str, str], set[str]] = {}

    # -- the watch's side ----------------------------------------------------------------

    def replace(self, items: list[Manifest]) -> None:
        """Everything there is."""
        with self._changed:
            self._pods.clear()
            self._warm.clear()
            for item in items:
                self._put(pods.read(item))
            self._changed.notify_all()

    def event(self, kind: str, item: Manifest) -> None:
        """One change, in the order they happened."""
        pod = pods.read(item)
        with self._changed:
            self._drop(pod.uid)
            if kind != "DELETED":
                self._put(pod)
            self._changed.notify_all()

    def _put(self, pod: Pod) -> None:
        self._pods[pod.uid] = pod
        pool = pod.labels.get(names.POOL)
        if pool is not None and pod.owner is None and not pod.ending:
            self._warm.setdefault((pod.namespace, pool), set()).add(pod.uid)

    def _drop(self, uid: str) -> None:
        old = self._pods.pop(uid, None)
        if old is not None:
            pool = (old.namespace, old.labels.get(names.POOL, ""))
            self._warm.get(pool, set()).discard(uid)

    # -- the driver's side ---------------------------------------------------------------

    def get(self, pod: Pod) -> Pod | None:
        """That pod as it is now; None when it is gone."""
        return self._pods.get(pod.uid)

    def all(self) -> list[Pod]:
        with self._changed:
            return list(self._pods.values())

    def owned(self, owner: str) -> list[Pod]:
        """The workers of that conductor."""
        return [pod for pod in self.all() if pod.owner == owner]

    def warm(self, namespace: str, pool: str) -> list[Pod]:
        """The ready pods of a pool, oldest first: the node has their image in memory, and
        their interpreter had time to come up."""
        with self._changed:
            found = [self._pods[uid] for uid in self._warm.get((namespace, pool), ())]
        return sorted((pod for pod in found if pod.ready), key=lambda pod: pod.created)

    def waiting(self, namespace: str, pool: str) -> int:
        """How many pods the pool has, ready or not."""
        return len(self._warm.get((namespace, pool), ()))

    def take(self, pod: Pod) -> None:
        """We know before the watch does that it left its pool."""
        with self._changed:
            self._warm.get((pod.namespace, pod.labels.get(names.POOL, "")), set()).discard(pod.uid)

    def add(self, manifest: Manifest) -> Pod:
        """A pod we made, before the watch tells of it."""
        pod = pods.read(manifest)
        with self._changed:
            if pod.uid not in self._pods:
                self._put(pod)
        return pod

    def until(self, pod: Pod, enough: Callable[[Pod | None], bool], timeout: float) -> Pod | None:
        """The pod once it is as wanted, or as it is when the time is over; None: it is gone."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                now = self._pods.get(pod.uid)
                left = deadline - time.monotonic()
                if enough(now) or left <= 0:
                    return now
                self._changed.wait(left)
