"""Who can reach whom, tried with packets: between projects, to the cluster, to the world."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from funcflow.sandboxes.base import Protection, SandboxError, Worker
from funcflow.sandboxes.kubernetes.driver import KubernetesSandbox
from tests import clusters, sandboxing
from tests.clusters import Installation
from tests.waiting import until
from tools.services.kubernetes.cluster import HANDLER

pytestmark = clusters.PATIENT
METADATA = ["169.254.169.254", 80]
OPEN = """
import socket, threading

def main():
    server = socket.create_server(("0.0.0.0", 8000))
    def serve():
        while True:
            server.accept()[0].close()
    threading.Thread(target=serve, daemon=True).start()
    return "listens"
"""


@pytest.fixture(scope="module")
def listener(installation: Installation) -> Iterator[socket.socket]:
    """Something outside the cluster that takes connections, on every address of this host."""
    with socket.create_server(("0.0.0.0", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture(scope="module")
def outside(installation: Installation) -> str:
    """This host's address as pods see it."""
    return clusters.own_address(installation.cluster)


@pytest.fixture(scope="module")
def sandbox(
    installation: Installation, outside: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KubernetesSandbox]:
    options: dict[str, Any] = {"conductor_networks": [f"{outside}/32"]}
    options |= {"egress": [f"{outside}/32"], "egress_except": ["169.254.0.0/16", "10.0.0.0/8"]}
    data = tmp_path_factory.mktemp("data")
    driver = KubernetesSandbox(installation.configuration(data, kubernetes=options))
    yield driver
    driver.close()


@pytest.fixture(scope="module")
def victim(sandbox: KubernetesSandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A worker of another project that listens on all its addresses."""
    folder = sandboxing.package(tmp_path_factory.mktemp("open") / "package", {"main.py": OPEN})
    spec = sandboxing.spec(folder, "main.main", project_id="victim")
    worker = sandbox.start(spec)
    assert sandboxing.call(worker)[0].value == '"listens"'
    yield worker
    worker.kill()


def reached(worker: Worker, *addresses: list[Any]) -> dict[str, str]:
    outcome, _ = sandboxing.call(worker, {"addresses": list(addresses)}, timeout=180)
    assert outcome.error is None, outcome.error
    found: dict[str, str] = json.loads(outcome.value or "")
    return found


def api_server(installation: Installation) -> list[list[Any]]:
    """Its address as a Service, and as it is."""
    cluster = installation.cluster
    service = json.loads(cluster.kubectl("get", "service", "kubernetes", "-o", "json"))["spec"]
    ends = json.loads(cluster.kubectl("get", "endpoints", "kubernetes", "-o", "json"))["subsets"]
    return [
        [service["clusterIP"], service["ports"][0]["port"]],
        [ends[0]["addresses"][0]["ip"], ends[0]["ports"][0]["port"]],
    ]


def test_a_worker_reaches_nothing(
    sandbox: KubernetesSandbox,
    installation: Installation,
    folder: Path,
    victim: Any,
    outside: str,
    listener: socket.socket,
) -> None:
    port = listener.getsockname()[1]
    with socket.create_connection((outside, port), timeout=60):
        pass  # Whoever may can reach it.
    worker = sandbox.start(sandboxing.spec(folder, "hostile.connect"))
    pod = victim.pod.address
    addresses = [
        [pod, 8000], [pod, 7080], [pod, 7082], METADATA, [outside, port], *api_server(installation)
    ]  # fmt: skip
    found = reached(worker, *addresses)
    worker.kill()
    assert len(found) == len(addresses)
    assert "connected" not in found.values(), found


def test_conductors_reach_the_agents_port_alone(victim: Any) -> None:
    assert sandboxing.call(victim)[0].error is not None  # It listens already; the call got there.
    with pytest.raises(TimeoutError):
        socket.create_connection((victim.pod.address, 8000), timeout=2)


def test_a_function_with_a_network_reaches_what_is_allowed_and_no_more(
    sandbox: KubernetesSandbox,
    installation: Installation,
    folder: Path,
    victim: Any,
    outside: str,
    listener: socket.socket,
) -> None:
    port = listener.getsockname()[1]
    worker = sandbox.start(sandboxing.spec(folder, "hostile.connect", network=True))
    until(
        lambda: reached(worker, [outside, port]) == {f"{outside}:{port}": "connected"},
        what="the way that is allowed",
    )
    pod = victim.pod.address
    found = reached(
        worker, [pod, 8000], [pod, 7080], [pod, 7082], METADATA, *api_server(installation)
    )
    worker.kill()
    assert "connected" not in found.values(), found


def network(sandbox: KubernetesSandbox) -> Protection:
    (wall,) = [each for each in sandbox.protections() if each.name == "network"]
    return wall


def test_that_policies_hold_is_known_and_written_down(
    sandbox: KubernetesSandbox, installation: Installation, victim: Any
) -> None:
    """By the first worker; who asks later, without a worker of its own, reads it."""
    sandboxing.call(victim)
    until(lambda: "stopped" in network(sandbox).detail, what="the answer of a worker")
    home = ["get", "namespace", installation.name, "-o", "json"]

    def written() -> Any:
        annotations = json.loads(installation.cluster.kubectl(*home))["metadata"]["annotations"]
        return annotations.get("funcflow.openstack.org/network-policies")

    until(lambda: written() == "enforced", what="the annotation")


@pytest.fixture(scope="module")
def runtime_class(installation: Installation) -> Iterator[str]:
    """A RuntimeClass that is not the default."""
    cluster = installation.cluster
    if not cluster.is_ours:
        pytest.skip("what RuntimeClasses the cluster has is not known")
    manifest = {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": installation.name},
        "handler": HANDLER,
    }
    cluster.kubectl("create", "-f", "-", input=json.dumps(manifest))
    yield installation.name
    cluster.kubectl("delete", "runtimeclass", installation.name)


@pytest.fixture
def strict(
    installation: Installation, runtime_class: str, tmp_path: Path
) -> Iterator[KubernetesSandbox]:
    """For code that is not trusted."""
    options = {"untrusted_class": runtime_class, "pool_max": 0}
    driver = KubernetesSandbox(installation.configuration(tmp_path, kubernetes=options))
    yield driver
    driver.close()


def test_code_that_is_not_trusted_runs_in_its_runtime_class(
    strict: KubernetesSandbox, installation: Installation, folder: Path, runtime_class: str
) -> None:
    log = installation.cluster.home / "log" / "other-runtime.log"
    asked = log.read_text().count(" create ") if log.exists() else 0
    worker = strict.start(sandboxing.spec(folder, "simple.echo", trusted=False))
    assert sandboxing.call(worker, 1)[0].value == "1"
    found = {each["metadata"]["name"]: each["spec"] for each in installation.pods()}
    assert found[worker.id]["runtimeClassName"] == runtime_class
    assert log.read_text().count(" create ") > asked
    worker.kill()
    assert "stopped" in network(strict).detail


def test_code_that_is_not_trusted_is_refused_where_nobody_enforces_policies(
    strict: KubernetesSandbox, installation: Installation, folder: Path
) -> None:
    cluster = installation.cluster
    cluster.kill("policies")
    forget = ["nft", "delete", "table", "inet", "policies"]
    subprocess.run(cluster.inside(forget), check=True)
    try:
        with pytest.raises(SandboxError) as caught:
            strict.start(sandboxing.spec(folder, "simple.echo", trusted=False))
        assert caught.value.code == "unprotected"
        assert "network policies" in caught.value.message
        assert not network(strict).present
        with pytest.raises(SandboxError):  # Known by now, so no pod is made for it.
            strict.start(sandboxing.spec(folder, "simple.echo", trusted=False))
        assert strict.metrics()["starts_without_pool_total"] == 0
        strict.start(sandboxing.spec(folder, "simple.echo")).kill()
    finally:
        cluster.start()


def test_projects_have_namespaces_of_their_own(installation: Installation, victim: Any) -> None:
    found = json.loads(
        installation.cluster.kubectl("get", "namespace", victim.pod.namespace, "-o", "json")
    )
    labels = found["metadata"]["labels"]
    assert victim.pod.namespace == f"{installation.name}-victim"
    assert labels["funcflow.openstack.org/project"] == "victim"
    quota = ["get", "resourcequota", "workers", "-n", victim.pod.namespace, "-o", "json"]
    assert json.loads(installation.cluster.kubectl(*quota))["spec"]["hard"] == {"pods": "100"}
