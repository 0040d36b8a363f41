"""What breaks around a worker, and what its caller is told. One test per fault, made for real."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from funcflow.sandboxes.base import Outcome, SandboxError, WorkerSpec
from funcflow.sandboxes.kubernetes import worker as workers
from funcflow.sandboxes.kubernetes.driver import KubernetesSandbox
from funcflow.sandboxes.kubernetes.worker import PodWorker
from tests import clusters, sandboxing
from tests.clusters import Installation
from tests.waiting import until
from tools.services.kubernetes import Cluster

pytestmark = clusters.PATIENT


def spec(folder: Path, entry: str = "simple.slow", **more: Any) -> WorkerSpec:
    return sandboxing.spec(folder, entry, **more)


@contextlib.contextmanager
def underway(
    worker: PodWorker, input: dict[str, Any] | None = None, seconds: float = 60
) -> Iterator[Callable[[], Outcome]]:
    """A call that runs for so long; gives what waits for its outcome."""
    log = sandboxing.Log()
    with ThreadPoolExecutor(1) as pool:
        given = input or {"seconds": seconds}
        request = sandboxing.request(given, timeout=seconds + 240)
        call = pool.submit(worker.invoke, request, log)
        until(lambda: log.chunks, what="its first line")
        yield lambda: call.result(300)


def lost(outcome: Callable[[], Outcome]) -> str:
    with pytest.raises(SandboxError) as caught:
        outcome()
    assert caught.value.code == "sandbox_lost"
    return caught.value.message


def kubectl(installation: Installation, worker: PodWorker, *arguments: str) -> str:
    action, *options = arguments
    where = ["-n", worker.pod.namespace, worker.pod.name]
    return installation.cluster.kubectl(action, "pod", *where, *options)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy node takes its time to tell how a container ended."""
    monkeypatch.setattr(workers, "_PATIENCE", 120.0)


@pytest.fixture
def own_cluster(kubernetes_cluster: Cluster) -> Iterator[Cluster]:
    """Ours to break; whole again afterwards."""
    if not kubernetes_cluster.is_ours:
        pytest.skip("the cluster is not ours to break")
    yield kubernetes_cluster
    kubernetes_cluster.start()


# -- pods -----------------------------------------------------------------------------------------


def test_a_pod_deleted_at_once_is_lost_and_says_where(
    sandbox: KubernetesSandbox, installation: Installation, folder: Path
) -> None:
    worker = sandbox.start(spec(folder))
    with underway(worker) as outcome:
        kubectl(installation, worker, "delete", "--grace-period=0", "--force", "--wait=false")
        message = lost(outcome)
    assert "deleted" in message
    assert worker.pod.name in message
    assert not worker.alive


def test_a_pod_that_is_drained_finishes_its_call_and_gets_no_other(
    sandbox: KubernetesSandbox, installation: Installation, folder: Path
) -> None:
    worker = sandbox.start(spec(folder))
    with underway(worker, seconds=2) as outcome:
        kubectl(installation, worker, "delete", "--wait=false")
        until(lambda: not worker.alive, what="the driver to see it")
        assert outcome().value == '"slept"'
    with pytest.raises(SandboxError) as caught:
        sandboxing.call(worker, {"seconds": 0})
    assert caught.value.code == "worker_gone"


def test_a_pod_that_is_evicted_says_why(
    installation: Installation, folder: Path, tmp_path: Path
) -> None:
    """By the kubelet, because it uses more of the node's disk than it may."""
    options = {"package_size": 4 << 20, "pool_max": 0}
    conf = installation.configuration(tmp_path, kubernetes=options, sandbox={"tmp_size": 64 << 20})
    with contextlib.closing(KubernetesSandbox(conf)) as driver:
        made = driver.start(spec(folder, "greedy.fill", memory_size=256 << 20))
        with underway(made, {"path": "/package/full", "size": 32 << 20}) as outcome:
            message = lost(outcome)
    assert "its pod ended, Evicted: " in message


def test_out_of_memory_names_the_limit(sandbox: KubernetesSandbox, folder: Path) -> None:
    worker = sandbox.start(spec(folder, "hostile.memory_hog", memory_size=64 << 20))
    outcome, _ = sandboxing.call(worker)
    assert outcome.error is not None
    assert outcome.error.type == "OutOfMemory"
    assert "64 MiB" in outcome.error.message
    assert outcome.memory_peak > 32 << 20
    assert not worker.alive


def test_a_container_killed_from_outside_is_lost(
    sandbox: KubernetesSandbox, own_cluster: Cluster, folder: Path
) -> None:
    worker = sandbox.start(spec(folder))
    with underway(worker) as outcome:
        for pid in processes_of(worker):
            subprocess.run(["kill", "-9", str(pid)], check=False)
        message = lost(outcome)
    assert "its pod ended, Error: exit code 137" in message


def processes_of(worker: PodWorker) -> list[int]:
    """On this host, by the pod's control group."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cgroup"):
        with contextlib.suppress(OSError):
            text = path.read_text()
            if worker.pod.uid in text or worker.pod.uid.replace("-", "_") in text:
                found.append(int(path.parent.name))
    return found


# -- images and room ------------------------------------------------------------------------------


def test_an_image_that_is_not_there_fails_with_its_reason(
    installation: Installation, folder: Path, tmp_path: Path
) -> None:
    images = {"python3": "127.0.0.1:1/none:1", "nodejs": installation.images["nodejs"]}
    conf = installation.configuration(tmp_path, kubernetes={"images": images})
    with contextlib.closing(KubernetesSandbox(conf)) as driver:
        with pytest.raises(SandboxError) as caught:
            driver.start(spec(folder))
        assert caught.value.code == "start_failed"
        assert "Pull" in caught.value.message
        page = spec(folder, "mixed.main", language="nodejs")
        worker = driver.start(page)  # Others are as well as before.
        assert worker.alive
        worker.kill()
        until(lambda: not driver.metrics()["pods_deleting"], what="the end of the bad pod")


def test_a_quota_that_is_used_up_says_so(
    installation: Installation, folder: Path, tmp_path: Path
) -> None:
    options = {"project_quota": {"pods": "1"}, "pool_max": 0}
    conf = installation.configuration(tmp_path, kubernetes=options)
    with contextlib.closing(KubernetesSandbox(conf)) as driver:
        first = started(driver, spec(folder, project_id="poor"))
        with pytest.raises(SandboxError) as caught:
            driver.start(spec(folder, project_id="poor", function_id="other"))
        assert caught.value.code == "cluster_quota_exceeded"
        assert "exceeded quota" in caught.value.message
        first.kill()


def test_no_node_with_room_says_so(
    installation: Installation, folder: Path, tmp_path: Path
) -> None:
    conf = installation.configuration(tmp_path, kubernetes={"overcommit": 1.0, "pool_max": 0})
    with contextlib.closing(KubernetesSandbox(conf)) as driver:
        with pytest.raises(SandboxError) as caught:
            driver.start(spec(folder, cpu=999_000))
        assert caught.value.code == "cluster_full"
        assert "Insufficient cpu" in caught.value.message


def test_untrusted_code_is_refused_where_there_is_no_class_for_it(
    sandbox: KubernetesSandbox, installation: Installation, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(SandboxError) as caught:
        sandbox.start(spec(folder, trusted=False))
    assert caught.value.code == "unprotected"
    options = {"untrusted_class": "nowhere", "runtime_classes": {"nodejs": "nowhere"}}
    conf = installation.configuration(tmp_path, kubernetes=options)
    with contextlib.closing(KubernetesSandbox(conf)) as driver:
        for what in (spec(folder, trusted=False), spec(folder, language="nodejs")):
            with pytest.raises(SandboxError) as caught:
                driver.start(what)
            assert caught.value.code == "unprotected"
            assert "nowhere" in caught.value.message
        driver.start(spec(folder)).kill()


# -- the cluster ----------------------------------------------------------------------------------


def test_the_api_server_goes_and_comes_back(
    sandbox: KubernetesSandbox, own_cluster: Cluster, folder: Path
) -> None:
    worker = sandbox.start(spec(folder))
    gone = sandbox.start(spec(folder, function_id="gone"))
    # Those of earlier tests, which a busy API server takes its time to delete.
    until(lambda: not sandbox.metrics()["pods_deleting"], what="no other pod to delete")
    with underway(worker, seconds=3) as outcome:
        own_cluster.kill("kube-apiserver")
        for number in range(5):
            assert sandboxing.call(gone, {"seconds": 0})[0].value == '"slept"', number
        with pytest.raises(SandboxError) as caught:
            sandbox.start(spec(folder, function_id="cold"))
        assert caught.value.code == "unavailable"
        assert "away" in caught.value.message
        gone.kill()  # Its pod cannot be deleted now.
        assert outcome().value == '"slept"'
    assert sandbox.metrics()["pods_deleting"] == 1
    own_cluster.start()
    cold = started(sandbox, spec(folder, function_id="cold"))
    assert sandboxing.call(cold, {"seconds": 0})[0].value == '"slept"'
    until(lambda: not sandbox.metrics()["pods_deleting"], timeout=180, what="the deletion")
    assert sandboxing.call(worker, {"seconds": 0})[0].value == '"slept"'
    for each in (worker, cold):
        each.kill()


def started(sandbox: KubernetesSandbox, what: WorkerSpec) -> PodWorker:
    """As soon as the cluster can."""
    made: list[PodWorker] = []

    def one() -> bool:
        with contextlib.suppress(SandboxError):
            made.append(sandbox.start(what))
        return bool(made)

    until(one, timeout=300, what="a start")
    return made[0]


def test_a_watch_that_was_away_for_too_long_lists_anew(
    sandbox: KubernetesSandbox, own_cluster: Cluster, folder: Path
) -> None:
    worker = sandbox.start(spec(folder))
    # An API server that has just started remembers nothing of what was before.
    own_cluster.kill("kube-apiserver")
    own_cluster.start()
    until(lambda: len(sandbox._api._watches) == 2, timeout=180, what="the watches to be back")
    lists = sandbox.metrics()["watch_lists_total"]
    for watch in (sandbox._pod_watch, sandbox._lease_watch):
        watch._version = "1"
    for response in list(sandbox._api._watches):
        response.shutdown()
    until(lambda: sandbox.metrics()["watch_lists_total"] > lists, timeout=180, what="a new list")
    assert worker.alive
    other = started(sandbox, spec(folder, function_id="other"))
    for each in (worker, other):
        assert sandboxing.call(each, {"seconds": 0})[0].value == '"slept"'
        each.kill()


def test_the_kubelet_goes_and_comes_back(
    sandbox: KubernetesSandbox, own_cluster: Cluster, folder: Path
) -> None:
    worker = sandbox.start(spec(folder))
    with underway(worker, seconds=3) as outcome:
        own_cluster.kill("kubelet")
        assert outcome().value == '"slept"'
    assert sandboxing.call(worker, {"seconds": 0})[0].value == '"slept"'
    own_cluster.start()
    other = started(sandbox, spec(folder, function_id="other"))
    assert sandboxing.call(worker, {"seconds": 0})[0].value == '"slept"'
    for each in (worker, other):
        each.kill()


def test_a_node_that_does_not_answer_is_lost_not_slow(
    sandbox: KubernetesSandbox, own_cluster: Cluster, folder: Path
) -> None:
    worker = sandbox.start(spec(folder))
    blackhole = ["ip", "route", "replace", "blackhole", f"{worker.pod.address}/32"]
    worker.grace = 2.0
    with underway(worker, seconds=60):
        subprocess.run(blackhole, check=True)
        try:
            with pytest.raises(SandboxError) as caught:
                sandboxing.call(worker, {"seconds": 0}, timeout=1.0)
        finally:
            subprocess.run(["ip", "route", "delete", *blackhole[3:]], check=True)
            worker.kill()
    assert caught.value.code == "sandbox_lost"
    assert "does not answer" in caught.value.message


def test_a_node_that_is_not_ready_gets_nothing_until_it_is(
    sandbox: KubernetesSandbox, own_cluster: Cluster, folder: Path
) -> None:
    worker = sandbox.start(spec(folder))
    until(lambda: at_rest(sandbox), timeout=180, what="a pool at rest")
    if not worker.alive:
        # Kubernetes took a pod back, to shrink the pool, that had just been taken from it.
        worker = sandbox.start(spec(folder))
    own_cluster.pause("kubelet")
    try:
        until(lambda: not ready(own_cluster), timeout=180, what="a node that is not ready")
        # Kubernetes says so of the node first, of its pods a moment later.
        until(lambda: sandbox.metrics()["pods_warm"] == 0, timeout=180, what="no warm pods")
        # What runs there goes on (where all nodes are away Kubernetes evicts nothing); no warm
        # pod of it is taken, and nothing is placed there.
        assert sandboxing.call(worker, {"seconds": 0})[0].value == '"slept"'
        with pytest.raises(SandboxError) as caught:
            sandbox.start(spec(folder, function_id="cold"))
        assert caught.value.code == "cluster_full"
        assert "node.kubernetes.io/" in caught.value.message
    finally:
        own_cluster.resume("kubelet")
    other = started(sandbox, spec(folder, function_id="cold"))
    for each in (worker, other):
        assert sandboxing.call(each, {"seconds": 0})[0].value == '"slept"'
        each.kill()


def at_rest(sandbox: KubernetesSandbox) -> bool:
    """Nothing is to be taken out of the pool."""
    metrics = sandbox.metrics()
    return metrics["pods_warm"] <= metrics["pods_wanted_warm"]


def ready(cluster: Cluster) -> bool:
    jsonpath = "jsonpath={.items[0].status.conditions[?(@.type=='Ready')].status}"
    return cluster.kubectl("get", "nodes", "-o", jsonpath) == "True"
