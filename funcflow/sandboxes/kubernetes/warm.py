"""Pods for new workers: out of a warm pool, or made for it where the pool is empty.

Used by the driver. A pool is a Deployment per kind, shared by all conductors: each says in an
annotation how many pods it wants there, from the starts it saw.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection

from funcflow.sandboxes.base import SandboxError
from funcflow.sandboxes.kubernetes import api as kube
from funcflow.sandboxes.kubernetes import manifests, names, sizing
from funcflow.sandboxes.kubernetes.api import Api, ApiError
from funcflow.sandboxes.kubernetes.index import Index
from funcflow.sandboxes.kubernetes.manifests import Claim, Kind, Style
from funcflow.sandboxes.kubernetes.namespaces import Namespaces
from funcflow.sandboxes.kubernetes.pods import Pod

LOG = logging.getLogger(__name__)

#: Seconds a pod takes to be ready, until we know better; how fast new figures weigh in.
_REFILL, _WEIGHT = 3.0, 0.3
#: Seconds a pod may be unschedulable before we say so: room may be freed at this very moment.
_NO_ROOM = 5.0
#: Seconds before an image is tried again that could not start.
_BAD = 15.0
_POOLS = "/apis/apps/v1"
#: Seconds before a pool is tried again that could not be set.
_BACKOFF = 10.0


class _Pool:
    """What one conductor knows of a pool. Guarded by the lock of :class:`Warm`."""

    def __init__(self, kind: Kind, project_id: str | None, now: float) -> None:
        self.kind = kind
        self.project_id = project_id
        self.arrivals = sizing.Arrivals(now)
        #: What the cluster was last told, and when it may be told again.
        self.demand = 0
        self.not_before = 0.0


class Warm:
    """Thread-safe."""

    def __init__(
        self,
        api: Api,
        index: Index,
        namespaces: Namespaces,
        style: Style,
        owner: Callable[[], str],
        dead: Callable[[str], bool],
        *,
        least: int,
        most: int,
        idle: float,
        patience: float,
        discard: Callable[[Pod, str], None],
        scope: str,
    ) -> None:
        """:param least: warm pods of a kind in use, ``most``: of any kind
        :param idle: seconds after which a kind counts as not in use
        :param patience: seconds a pod may take to be ready
        :param discard: delete that pod
        :param scope: ``/namespaces/…`` of all workers, or nothing where there are several
        """
        self._api = api
        self._index = index
        self._namespaces = namespaces
        self._style = style
        self._owner = owner
        self._dead = dead
        self._least, self._most = min(least, most), most
        self._idle = idle
        self._patience = patience
        self._discard = discard
        self._scope = scope
        self._lock = threading.Lock()
        self._pools: dict[tuple[str, str], _Pool] = {}
        self._refill = _REFILL
        #: Until when kinds are not tried again, and why.
        self._bad: dict[Kind, tuple[float, str]] = {}
        #: Pods that somebody else took before us.
        self.conflicts = 0

    # -- starting a worker -----------------------------------------------------------------

    def expect(self, kind: Kind, project_id: str | None) -> None:
        """A worker of that kind is about to start."""
        now = time.monotonic()
        with self._lock:
            key = (kind.namespace, kind.pool)
            pool = self._pools.setdefault(key, _Pool(kind, project_id, now))
            pool.arrivals.add(now)

    def claim(self, kind: Kind, claim: Claim) -> Pod | None:
        """A warm pod, ours from now on; None when there is none.

        :raises ApiError: the API server is away
        """
        for pod in self._index.warm(kind.namespace, kind.pool):
            self._index.take(pod)
            try:
                patched = self._api.patch(pod.path, manifests.take(kind, claim), kube.JSON_PATCH)
            except ApiError as exc:
                if exc.unreachable:
                    raise
                # Somebody was first, or it is gone.
                self.conflicts += 1
                continue
            self._index.event("MODIFIED", patched)
            return pod
        return None

    def make(self, kind: Kind, claim: Claim, project_id: str | None) -> Pod:
        """A pod of its own for one worker.

        :raises SandboxError: ``start_failed``, ``cluster_full``, ``cluster_quota_exceeded``
        :raises ApiError: the API server is away, or refuses
        """
        began = time.monotonic()
        self._refuse_if_bad(kind)
        pod = self._create(kind, claim, project_id)
        try:
            ready = self._ready(pod)
        except BaseException as exc:
            self._discard(pod, "it did not come up")
            if isinstance(exc, SandboxError) and exc.code == "start_failed":
                with self._lock:
                    self._bad[kind] = time.monotonic() + _BAD, exc.message
            raise
        with self._lock:
            took = time.monotonic() - began
            self._refill += _WEIGHT * (took - self._refill)
        return ready

    def _refuse_if_bad(self, kind: Kind) -> None:
        """An image that could not start a moment ago cannot now: the same answer, at once.

        :raises SandboxError: ``start_failed``
        """
        with self._lock:
            until, why = self._bad.get(kind, (0.0, ""))
            if until <= time.monotonic():
                self._bad.pop(kind, None)
                return
        raise SandboxError(f"not tried again yet: {why}", code="start_failed", retry_after=_BAD)

    def _create(self, kind: Kind, claim: Claim, project_id: str | None) -> Pod:
        path = f"/api/v1/namespaces/{kind.namespace}/pods"
        manifest = manifests.pod(kind, self._style, claim)
        for last in (False, True):
            self._namespaces.ensure(kind.namespace, project_id)
            try:
                return self._index.add(self._api.create(path, manifest))
            except ApiError as exc:
                if exc.quota:
                    raise SandboxError(
                        f"the project's quota in the cluster is used up: {exc.message}",
                        code="cluster_quota_exceeded",
                        hint="Let workers of the project end, or ask your operator for more.",
                        retry_after=5.0,
                    ) from exc
                if exc.status != 404 or last:
                    raise
                self._namespaces.forget(kind.namespace)  # Somebody removed it.
        raise AssertionError("the last try returns or raises")

    def _ready(self, pod: Pod) -> Pod:
        """:raises SandboxError: it does not become ready, and why"""
        deadline = time.monotonic() + self._patience
        room_by = time.monotonic() + _NO_ROOM
        while True:
            left = deadline - time.monotonic()
            now = self._index.until(pod, _settled, min(left, max(0.1, room_by - time.monotonic())))
            if now is None or now.ending:
                raise SandboxError(f"pod {pod.name} was deleted", code="start_failed")
            if now.ready and now.address:
                return now
            if now.trouble_code == "start_failed" or now.ended:
                told = now.trouble or now.ended
                raise SandboxError(f"pod {pod.name}: {told}", code="start_failed")
            if now.trouble_code == "cluster_full" and time.monotonic() >= room_by:
                raise SandboxError(
                    f"no node has room: {now.trouble}", code="cluster_full", retry_after=5.0
                )
            if left <= 0:
                raise SandboxError(
                    f"pod {pod.name} is not ready after {self._patience:g} s",
                    code="start_failed",
                )

    # -- the size of pools -------------------------------------------------------------------

    def tick(self) -> None:
        """Tell the cluster what we want of each pool, where that changed."""
        if self._most == 0:
            return
        now = time.monotonic()
        with self._lock:
            changed = []
            for key, pool in list(self._pools.items()):
                idle = now - pool.arrivals.last > self._idle or pool.kind in self._bad
                rate = pool.arrivals.rate(now)
                count = 0 if idle else sizing.wanted(rate, self._refill, self._least, self._most)
                # Fewer only when far fewer: a pool that follows every gap is never warm.
                if count > pool.demand or count < pool.demand // 2 or (idle and pool.demand):
                    if now >= pool.not_before:
                        changed.append((pool, count))
                elif idle:
                    del self._pools[key]
        for pool, count in changed:
            self._set(pool, count)

    def _set(self, pool: _Pool, count: int) -> None:
        try:
            self._namespaces.ensure(pool.kind.namespace, pool.project_id)
            self._agree(pool.kind, count)
        except ApiError as exc:
            LOG.warning("the pool %s stays as it is for now: %s", pool.kind.pool, exc)
            pool.not_before = time.monotonic() + _BACKOFF
        else:
            pool.demand = count

    def _agree(self, kind: Kind, count: int) -> None:
        """Put our wish beside those of the others.

        :raises ApiError: also when others change it all the time
        """
        path = f"{_POOLS}/namespaces/{kind.namespace}/deployments"
        for _ in range(5):
            try:
                there = self._api.get(f"{path}/{kind.pool}")
            except ApiError as exc:
                if exc.status != 404:
                    raise
                there = None
            old = sizing.demands(there["metadata"].get("annotations")) if there else {}
            dead = [owner for owner in old if self._dead(owner)]
            demand = sizing.agreed(old, self._owner(), count, dead)
            try:
                self._write(path, kind, there, demand)
            except ApiError as exc:
                if exc.status != 409:
                    raise
                continue
            return
        raise ApiError(409, "Conflict", "others change it all the time")

    def _write(
        self, path: str, kind: Kind, there: kube.Manifest | None, demand: dict[str, int]
    ) -> None:
        wanted = manifests.pool(kind, self._style, demand)
        if there is None:
            if demand:
                self._api.create(path, wanted)
            return
        version = there["metadata"]["resourceVersion"]
        if not demand:
            self._api.delete(f"{path}/{kind.pool}", _if_still(version))
            return
        wanted["metadata"]["resourceVersion"] = version
        self._api.replace(f"{path}/{kind.pool}", wanted)

    def leave(self) -> None:
        """Want nothing any more."""
        with self._lock:
            pools = [pool for pool in self._pools.values() if pool.demand]
            self._pools.clear()
        for pool in pools:
            self._set(pool, 0)

    def sweep(self) -> None:
        """Take the wishes of dead conductors off pools that nobody else looks after.

        :raises ApiError: the API server is away, or refuses
        """
        selector = f"{names.INSTALLATION}={names.label(self._style.installation)}"
        found = self._api.get(f"{_POOLS}{self._scope}/deployments", labelSelector=selector)
        for pool in found["items"]:
            metadata = pool["metadata"]
            there = sizing.demands(metadata.get("annotations"))
            dead = {owner for owner in there if owner != self._owner() and self._dead(owner)}
            if dead:
                left = {owner: n for owner, n in there.items() if owner not in dead}
                self._cut(metadata, dead, sum(left.values()))

    def _cut(self, metadata: kube.Manifest, dead: Collection[str], replicas: int) -> None:
        """Leave a pool to its live conductors; it goes when there are none."""
        path = f"{_POOLS}/namespaces/{metadata['namespace']}/deployments/{metadata['name']}"
        version = metadata["resourceVersion"]
        if not replicas:
            self._api.delete(path, _if_still(version))
            return
        gone = {f"{names.DEMAND}{owner}": None for owner in dead}
        change = {"metadata": {"annotations": gone, "resourceVersion": version}}
        self._api.patch(path, change | {"spec": {"replicas": replicas}})

    def demand(self) -> int:
        """Warm pods we want, of all kinds."""
        with self._lock:
            return sum(pool.demand for pool in self._pools.values())

    def count(self) -> int:
        """Warm pods that are ready, of the kinds we use."""
        with self._lock:
            keys = list(self._pools)
        return sum(len(self._index.warm(*key)) for key in keys)

    def room(self, language: str) -> tuple[int, int]:
        """(ready, wanted by us) warm pods of a language."""
        with self._lock:
            pools = [(key, pool) for key, pool in self._pools.items()]
        mine = [(key, pool.demand) for key, pool in pools if pool.kind.language == language]
        return sum(len(self._index.warm(*key)) for key, _ in mine), sum(n for _, n in mine)


def _settled(pod: Pod | None) -> bool:
    """Whether there is something to say about it."""
    if pod is None or pod.ending or pod.ended:
        return True
    return (pod.ready and pod.address is not None) or pod.trouble_code == "start_failed"


def _if_still(version: str) -> kube.Manifest:
    return {"kind": "DeleteOptions", "preconditions": {"resourceVersion": version}}
