"""The ``kubernetes`` driver: workers are pods.

Loaded by the conductor through the entry point ``kubernetes`` of ``funcflow.sandboxes``.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence

from oslo_config import cfg

from funcflow import conf as configuration
from funcflow.sandboxes.base import Key, Protection, SandboxError, WorkerSpec
from funcflow.sandboxes.kubernetes import keeper, manifests, names, settings
from funcflow.sandboxes.kubernetes import link as links
from funcflow.sandboxes.kubernetes.api import Api, ApiError
from funcflow.sandboxes.kubernetes.enforcement import Enforcement
from funcflow.sandboxes.kubernetes.index import Index
from funcflow.sandboxes.kubernetes.keys import Keys
from funcflow.sandboxes.kubernetes.lease import Lease, Leases
from funcflow.sandboxes.kubernetes.manifests import Kind
from funcflow.sandboxes.kubernetes.namespaces import Namespaces
from funcflow.sandboxes.kubernetes.pods import Pod
from funcflow.sandboxes.kubernetes.protections import Walls
from funcflow.sandboxes.kubernetes.reaper import Reaper
from funcflow.sandboxes.kubernetes.warm import Warm
from funcflow.sandboxes.kubernetes.watch import Watch
from funcflow.sandboxes.kubernetes.worker import PodWorker

LOG = logging.getLogger(__name__)

#: Seconds a function may take to be imported, and a package to be taken in.
LOAD_TIMEOUT = PUSH_TIMEOUT = 30.0
#: How many lease times others wait before they delete a dead conductor's pods.
ORPHANED = 4
#: Warm pods that are tried for one worker.
TRIES = 3


class KubernetesSandbox:
    """See :class:`funcflow.sandboxes.base.Sandbox`. Thread-safe."""

    languages: Sequence[str] = ("python3", "nodejs")
    local = False

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        own = conf.kubernetes
        self._conf = conf
        self._keys = Keys(configuration.secret(conf))
        style = settings.style(conf, self._keys.public)
        network = settings.network(conf)
        self._api = Api(conf)
        self._index = Index()
        self._lease = Lease(self._api, own.namespace, own.installation, own.identity, own.lease)
        self._leases = Leases(own.lease * ORPHANED, lambda: self._lease.owner)
        self._enforcement = Enforcement(self._api, own.namespace)
        self._walls = Walls(self._api, conf, self._enforcement.protection)
        self._reaper = Reaper(self._api)
        self._namespaces = Namespaces(
            self._api, own.namespace, own.installation, network, own.project_quota
        )
        where = "" if own.project_namespaces else f"/namespaces/{own.namespace}"
        self._warm = Warm(
            self._api, self._index, self._namespaces, style,
            lambda: self._lease.owner, self._leases.dead,
            least=own.pool_min, most=own.pool_max, idle=own.pool_idle,
            patience=own.start_timeout, discard=self._reaper.delete, scope=where,
        )  # fmt: skip
        self._lock = threading.Lock()
        self._workers: dict[str, PodWorker] = {}
        #: Pods of our earlier life that nobody took over yet, by uid.
        self._left: dict[str, Pod] = {}
        self._left_since = 0.0
        self._parting = False
        self._closed = False
        self._counts = dict.fromkeys(
            ("started", "failed", "ended", "from_pool", "without_pool", "adopted", "orphans"), 0
        )
        self._start_seconds = 0.0
        selector = f"{names.INSTALLATION}={names.label(own.installation)}"
        leases = f"/apis/coordination.k8s.io/v1/namespaces/{own.namespace}/leases"
        self._pod_watch = Watch(
            self._api, f"/api/v1{where}/pods", selector, self._index.replace, self._index.event
        )
        self._lease_watch = Watch(
            self._api, leases, selector, self._leases.replace, self._leases.event
        )
        self._keeper = keeper.Keeper(
            [
                (0.0, self._keep_lease),
                (0.5, self._warm.tick),
                (5.0, self._sweep_orphans),
                (5.0, self._sweep_left),
                (1.0, self._enforcement.tell),
                (60.0, self._warm.sweep),
            ]
        )
        self._opened = False
        #: Set once we have a name, and know what was ours.
        self._known = threading.Event()

    def _open(self) -> None:
        """Join the cluster, at the first use: who only asks for protections leaves no trace."""
        with self._lock:
            if self._opened or self._closed:
                return
            self._opened = True
        self._pod_watch.start()
        self._lease_watch.start()
        self._keeper.start()

    def start(self, spec: WorkerSpec) -> PodWorker:
        began = time.monotonic()
        if spec.package is not None and not spec.package.is_dir():
            raise SandboxError(f"there is no package folder {spec.package}", code="start_failed")
        kind = settings.kind(self._conf, spec)
        if not kind.image:
            raise SandboxError(f"no runtime {spec.language!r} has an image", code="start_failed")
        self._refuse_if_away()
        try:
            self._walls.check(kind, settings.trusted(self._conf, spec))
            if not settings.lenient(self._conf, spec):
                self._enforcement.refuse()
            worker, how = self._adopt(spec), "adopted"
            if worker is None:
                worker, how = self._fresh(spec, kind)
        except ApiError as exc:
            self._count("failed")
            raise _api_trouble(exc) from exc
        except SandboxError:
            self._count("failed")
            raise
        worker.startup = time.monotonic() - began
        with self._lock:
            self._counts["started"] += 1
            self._counts[how] += 1
            self._start_seconds += worker.startup
            closed = self._closed
        if closed:
            worker.kill()
            raise SandboxError("the sandbox driver is closed", code="no_capacity")
        return worker

    def left(self) -> Sequence[Key]:
        self._open()
        self._known.wait(2 * self._conf.kubernetes.lease)
        with self._lock:
            pods = list(self._left.values())
        return tuple(
            (of[names.PROJECT], of[names.FUNCTION], int(of[names.REVISION]))
            for of in (pod.labels for pod in pods)
        )

    def room(self, language: str) -> tuple[int, int]:
        mine = sum(worker.spec.language == language for worker in list(self._workers.values()))
        ready, wanted = self._warm.room(language)
        return mine + wanted, min(ready, wanted)

    def protections(self) -> Sequence[Protection]:
        return self._walls.survey()

    def sweep(self) -> int:
        self._open()
        try:
            return self._sweep_orphans()
        except ApiError as exc:
            LOG.warning("orphans are swept later: %s", exc)
            return 0

    def metrics(self) -> Mapping[str, float]:
        with self._lock:
            counts, seconds = dict(self._counts), self._start_seconds
            workers, left = len(self._workers), len(self._left)
        watches = (self._pod_watch, self._lease_watch)
        return {
            "workers": float(workers),
            "workers_started_total": float(counts["started"]),
            "workers_failed_total": float(counts["failed"]),
            "workers_ended_total": float(counts["ended"]),
            "starts_from_pool_total": float(counts["from_pool"]),
            "starts_without_pool_total": float(counts["without_pool"]),
            "starts_adopted_total": float(counts["adopted"]),
            "start_seconds_total": seconds,
            "pods_warm": float(self._warm.count()),
            "pods_wanted_warm": float(self._warm.demand()),
            "pods_left": float(left),
            "pods_deleting": float(len(self._reaper.pending())),
            "pods_orphaned_total": float(counts["orphans"]),
            "pool_conflicts_total": float(self._warm.conflicts),
            "watch_lists_total": float(sum(watch.lists for watch in watches)),
            "watch_drops_total": float(sum(watch.drops for watch in watches)),
        }

    def part(self) -> None:
        # Without a name that survives us, nobody could tell that they are ours.
        self._parting = self._conf.kubernetes.identity is not None
        for worker in list(self._workers.values()):
            worker.parting = self._parting

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            workers = list(self._workers.values())
        if not self._opened:
            self._reaper.stop(1.0)
            self._api.close()
            return
        self._keeper.stop()
        for worker in workers:
            worker.kill()
        if not self._parting:
            for pod in self._index.owned(self._lease.owner) if self._lease.owner else ():
                self._reaper.delete(pod, "the conductor ends")
            self._warm.leave()
        if stay := self._reaper.stop(10.0):
            LOG.warning("%d pods stay for others to sweep", stay)
        if self._lease.owner:
            self._release()
        for watch in (self._pod_watch, self._lease_watch):
            watch.stop()
        self._api.close()
        for watch in (self._pod_watch, self._lease_watch):
            watch.join()

    # -- starting ----------------------------------------------------------------------

    def _refuse_if_away(self) -> None:
        """:raises SandboxError: ``unavailable``: what we know of the cluster is not enough"""
        self._open()
        why = keeper.looked(self._known, lambda: self._keeper.trouble or self._pod_watch.trouble)
        if why is not None:
            raise SandboxError(
                f"the Kubernetes cluster is away: {why}", code="unavailable", retry_after=2.0
            )

    def _adopt(self, spec: WorkerSpec) -> PodWorker | None:
        """A pod of our earlier life that is this revision's worker already."""
        if spec.secrets:  # Nobody knows which ones it has.
            return None
        claim = settings.claim(spec, self._lease.owner)
        wanted = manifests.claimed(claim)
        with self._lock:
            found = [pod for pod in self._left.values() if wanted.items() <= pod.labels.items()]
            for pod in found[:1]:
                del self._left[pod.uid]
        for pod in found[:1]:
            now = self._index.get(pod)
            if now is None or now.ending or now.ended is not None:
                return None
            try:
                return self._specialise(now, spec, adopted=True)
            except SandboxError as exc:
                LOG.info("%s", exc)
        return None

    def _fresh(self, spec: WorkerSpec, kind: Kind) -> tuple[PodWorker, str]:
        claim = settings.claim(spec, self._lease.owner)
        project = settings.project_of(self._conf, spec)
        self._warm.expect(kind, project)
        for _ in range(TRIES):
            pod = self._warm.claim(kind, claim)
            if pod is None:
                break
            try:
                return self._specialise(pod, spec), "from_pool"
            except SandboxError as exc:
                if exc.code == "unprotected":
                    raise
                LOG.warning("a warm pod is of no use: %s", exc)
        pod = self._warm.make(kind, claim, project)
        return self._specialise(pod, spec), "without_pool"

    def _specialise(self, pod: Pod, spec: WorkerSpec, adopted: bool = False) -> PodWorker:
        """Make a pod of ours the worker of a revision.

        :raises SandboxError: ``start_failed``; the pod is deleted then
        """
        try:
            link, state = links.connect(pod.address or "", pod.uid, self._keys)
        except BaseException as exc:
            self._reaper.delete(pod, str(exc))
            raise
        worker = PodWorker(spec, pod, link, self._index.get, self._ended)
        with self._lock:
            self._workers[pod.uid] = worker
            closed = self._closed
        try:
            if closed:
                raise SandboxError("the sandbox is closed", code="start_failed")
            if state != ("specialised" if adopted else "generic"):
                raise SandboxError(f"pod {pod.name} is {state}", code="start_failed")
            if not adopted:
                self._enforcement.ask(
                    link,
                    trusted=settings.lenient(self._conf, spec),
                    network=spec.revision.network,
                )
            if spec.package is not None and not adopted:
                links.push(link, spec.revision.digest or "", spec.package, PUSH_TIMEOUT)
            worker.load(settings.load(self._conf, spec, LOAD_TIMEOUT), LOAD_TIMEOUT)
        except BaseException:
            worker.kill()
            raise
        return worker

    # -- ending ------------------------------------------------------------------------

    def _ended(self, worker: PodWorker) -> None:
        with self._lock:
            if self._workers.pop(worker.pod.uid, None) is None:
                return
            self._counts["ended"] += 1
        if not worker.parted:
            self._reaper.delete(worker.pod, "its worker ended")

    # -- chores ------------------------------------------------------------------------

    def _keep_lease(self) -> None:
        if self._lease.owner:
            self._lease.renew()
        else:
            self._namespaces.ensure(self._conf.kubernetes.namespace, None)
            self._lease.acquire()
        if not self._known.is_set():
            self._look_for_left()

    def _look_for_left(self) -> None:
        """Which pods of our name are there already."""
        if not self._pod_watch.synced(keeper.FIRST_LOOK):
            raise ApiError(0, "Unreachable", "the pods could not be listed")
        with self._lock:
            owned = self._index.owned(self._lease.owner)
            self._left = {
                pod.uid: pod for pod in owned if pod.ready and not pod.ending and not pod.ended
            }
            self._left_since = time.monotonic()
        for pod in owned:
            if pod.uid not in self._left and not pod.ending:
                self._reaper.delete(pod, "it ended while nobody looked")
        self._known.set()

    def _sweep_left(self) -> None:
        """Pods of our earlier life that nothing called for long enough."""
        with self._lock:
            if time.monotonic() - self._left_since < self._conf.sandbox.idle:
                return
            pods, self._left = list(self._left.values()), {}
        for pod in pods:
            self._reaper.delete(pod, "nothing called it since the conductor started")

    def _sweep_orphans(self) -> int:
        """Pods of conductors that died; how many."""
        if not self._lease_watch.synced(0):
            return 0
        pending = self._reaper.pending()
        owners = {pod.owner for pod in self._index.all()} - {None, self._lease.owner}
        dead = {owner for owner in owners if owner is not None and self._leases.dead(owner)}
        orphans = [
            pod
            for pod in self._index.all()
            if pod.owner in dead and not pod.ending and pod.uid not in pending
        ]
        for pod in orphans:
            LOG.warning(
                "pod %s/%s of %s belongs to no live conductor", pod.namespace, pod.name, pod.owner
            )
            self._reaper.delete(pod, "its conductor is gone")
        with self._lock:
            self._counts["orphans"] += len(orphans)
        return len(orphans)

    def _release(self) -> None:
        try:
            self._lease.release(keep=self._parting)
        except ApiError as exc:
            LOG.warning("the lease %s stays until it expires: %s", self._lease.owner, exc)

    def _count(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1


def _api_trouble(exc: ApiError) -> SandboxError:
    """What the API server's refusal means for a start."""
    if exc.unreachable:
        return SandboxError(
            f"the Kubernetes cluster is away: {exc}", code="unavailable", retry_after=2.0
        )
    return SandboxError(f"the Kubernetes cluster refuses: {exc}", code="start_failed")
