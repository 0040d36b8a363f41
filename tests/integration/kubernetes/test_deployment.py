"""funcflow in a cluster by its manifests: rights, disruption, and rolling updates under load."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import socketserver
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import clusters
from tests.integration.kubernetes import deployment
from tests.integration.kubernetes.deployment import Deployment
from tests.waiting import until
from tools.images import build
from tools.services import postgres
from tools.services.kubernetes import Cluster

pytestmark = clusters.PATIENT
SOURCE = "def main(n):\n    return n + 1\n"


@contextlib.contextmanager
def reachable(cluster: Cluster, port: int) -> Iterator[tuple[str, int]]:
    """A loopback port of this host, where pods can reach it."""

    class Forward(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", port)) as there:
                back = threading.Thread(target=_pipe, args=(there, self.request))
                back.start()
                _pipe(self.request, there)
                back.join()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server((clusters.own_address(cluster), 0), Forward) as server:
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        yield server.server_address[:2]  # type: ignore[misc]
        server.shutdown()


def _pipe(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@pytest.fixture(scope="module")
def images(kubernetes_cluster: Cluster, kubernetes_images: dict[str, str]) -> dict[str, str]:
    recipes = build.known()
    return kubernetes_images | {
        name: kubernetes_cluster.provide(*build.build(recipes[name], recipes))
        for name in ("funcflow", "zookeeper")
    }


@pytest.fixture(scope="module")
def deployed(
    kubernetes_cluster: Cluster,
    images: dict[str, str],
    postgres_server: postgres.Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployment]:
    if not kubernetes_cluster.is_ours:
        pytest.skip("its pods could not reach the database of the tests")
    packages = tmp_path_factory.mktemp("packages")
    for folder in (packages, *packages.parents[:3]):
        folder.chmod(0o777 if folder == packages else 0o755)
    with (
        postgres_server.database() as url,
        reachable(kubernetes_cluster, postgres_server.port) as (host, port),
    ):
        seen = url.replace(f"127.0.0.1:{postgres_server.port}", f"{host}:{port}")
        with deployment.deployed(kubernetes_cluster, images, seen, packages) as made:
            yield made


@pytest.fixture(scope="module")
def service(deployed: Deployment) -> str:
    """The address of the API's Service."""
    return deployed.kubectl("get", "service", "api", "-o", "jsonpath={.spec.clusterIP}")


def ask(service: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(service, 7070, timeout=300)
    try:
        headers = {"Host": "127.0.0.1:7070", "Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    finally:
        connection.close()


@pytest.fixture(scope="module")
def function(service: str) -> str:
    fields = {"name": "next", "runtime": "python3", "source": SOURCE, "timeout": 30}
    status, made = ask(service, "POST", "/v1/functions", fields)
    assert status == 201, made
    return str(made["id"])


def call(service: str, function: str, number: int) -> str:
    """How one synchronous call went, in a word."""
    try:
        body = {"function_id": function, "input": json.dumps({"n": number})}
        status, found = ask(service, "POST", "/v1/executions", body)
    except (OSError, http.client.HTTPException) as exc:
        return f"{type(exc).__name__}: {exc}"
    if status == 202:  # It took longer than a call waits.
        path = f"/v1/executions/{found['id']}"
        over = ("success", "failed", "error", "cancelled")
        status, found = 201, until(lambda: _ended(service, path, over), timeout=300)
    if status != 201 or found["status"] != "success":
        return f"{status}: {found}"
    answer = json.loads(found["result"])
    value = answer.get("output", answer) if isinstance(answer, dict) else answer
    return "right" if value == number + 1 else f"wrong: {found['result']}"


def _ended(service: str, path: str, over: tuple[str, ...]) -> Any:
    """The execution, once it is over."""
    _, found = ask(service, "GET", path)
    return found if found.get("status") in over else None


def test_a_call(service: str, function: str) -> None:
    assert call(service, function, 41) == "right"


@pytest.mark.parametrize("workload", ["deployment/api", "statefulset/conductor"])
def test_a_rolling_restart_under_load(
    deployed: Deployment, service: str, function: str, workload: str
) -> None:
    """Not one of the calls that come meanwhile fails."""
    results: Counter[str] = Counter()
    over = threading.Event()

    def load() -> None:
        number = 0
        while not over.is_set():
            results[call(service, function, number)] += 1
            number += 1
            time.sleep(0.05)

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: results["right"] > 10, timeout=300, what="calls come through")
        deployed.kubectl("rollout", "restart", workload)
        deployed.wait(workload)
        seen = results["right"]
        until(lambda: results["right"] > seen + 10, timeout=300, what="calls afterwards")
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert set(results) == {"right"}, results


def test_a_zookeeper_that_leaves(deployed: Deployment, service: str, function: str) -> None:
    """Two of three go on: a call is right, or refused while its connection moves on."""
    deployed.kubectl("delete", "pod", "zookeeper-1", "--wait=false")
    results = Counter(call(service, function, number)[:30] for number in range(30))
    assert {word.partition(":")[0] for word in results} <= {"right", "503"}, results
    deployed.wait("statefulset/zookeeper")
    assert {call(service, function, number) for number in range(5)} == {"right"}


def may(deployed: Deployment, account: str, *what: str) -> bool:
    """What the authorizer says of an account."""
    who = f"--as=system:serviceaccount:{deployed.name}:{account}"
    try:
        return deployed.cluster.kubectl("auth", "can-i", who, *what).strip() == "yes"
    except subprocess.CalledProcessError:
        return False


ELSEWHERE = ("--namespace", "default")
SYSTEM = ("--namespace", "kube-system")


@pytest.mark.parametrize(
    "what",
    [
        ("create", "pods", *ELSEWHERE),
        ("patch", "pods", *ELSEWHERE),
        ("delete", "deployments.apps", *ELSEWHERE),
        ("create", "networkpolicies.networking.k8s.io", *ELSEWHERE),
        ("create", "namespaces"),
    ],
)
def test_what_a_conductor_may(deployed: Deployment, what: tuple[str, ...]) -> None:
    assert may(deployed, "conductor", *what)


@pytest.mark.parametrize(
    "what",
    [
        ("get", "secrets", *ELSEWHERE),
        ("list", "secrets", *SYSTEM),
        ("create", "pods", "--subresource=exec", *ELSEWHERE),
        ("create", "pods", "--subresource=attach", *ELSEWHERE),
        ("create", "pods", "--subresource=portforward", *ELSEWHERE),
        ("create", "serviceaccounts", "--subresource=token", *ELSEWHERE),
        ("get", "serviceaccounts", *ELSEWHERE),
        ("create", "rolebindings.rbac.authorization.k8s.io", *ELSEWHERE),
        ("create", "clusterrolebindings.rbac.authorization.k8s.io"),
        ("escalate", "clusterroles.rbac.authorization.k8s.io"),
        ("impersonate", "users"),
        ("delete", "namespaces"),
        ("delete", "networkpolicies.networking.k8s.io", *ELSEWHERE),
        ("delete", "resourcequotas", *ELSEWHERE),
        ("create", "daemonsets.apps", *ELSEWHERE),
        ("get", "configmaps", *ELSEWHERE),
        ("list", "nodes"),
        ("get", "nodes", "--subresource=proxy"),
        ("get", "persistentvolumes"),
        ("create", "mutatingwebhookconfigurations.admissionregistration.k8s.io"),
        ("delete", "leases.coordination.k8s.io", *SYSTEM),
    ],
)
def test_what_a_conductor_may_not(deployed: Deployment, what: tuple[str, ...]) -> None:
    assert not may(deployed, "conductor", *what)


def test_nobody_else_may_anything(deployed: Deployment) -> None:
    for what in (("get", "pods"), ("get", "secrets"), ("create", "pods", *ELSEWHERE)):
        assert not may(deployed, "funcflow", *what)
    pods = json.loads(deployed.kubectl("get", "pods", "-o", "json"))["items"]
    tokens = {
        pod["metadata"]["labels"]["app.kubernetes.io/component"]
        for pod in pods
        for container in pod["spec"]["containers"]
        for mount in container.get("volumeMounts", [])
        if mount["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"
    }
    assert tokens == {"conductor"}


def test_one_may_be_away_at_a_time(deployed: Deployment) -> None:
    budgets = json.loads(deployed.kubectl("get", "poddisruptionbudgets", "-o", "json"))["items"]
    allowed = {each["metadata"]["name"]: each["spec"]["maxUnavailable"] for each in budgets}
    assert allowed == {"zookeeper": 1, "conductor": 1, "api": 1}


def test_the_manifests_are_shut_in(tmp_path: Path, kubernetes_cluster: Cluster) -> None:
    """As they are delivered: nobody is root, writes to an image or keeps a capability."""
    import yaml

    text = kubernetes_cluster.kubectl("kustomize", str(deployment.BASE))
    workloads = [
        each["spec"]["template"]["spec"]
        for each in yaml.safe_load_all(text)
        if each["kind"] in ("Deployment", "StatefulSet")
    ]
    assert len(workloads) == 3
    for pod in workloads:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"] + pod.get("initContainers", []):
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]
