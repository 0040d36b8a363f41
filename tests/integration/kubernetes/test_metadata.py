"""169.254.169.254 in pods: on nodes that give it to them, by the plugin in etc/kubernetes/cni."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from funcflow.sandboxes.base import Worker
from funcflow.sandboxes.kubernetes.driver import KubernetesSandbox
from tests import clusters, sandboxing
from tests.clusters import Installation
from tools.services.kubernetes import Cluster

pytestmark = clusters.PATIENT
PLUGIN = Path(__file__).parents[3] / "etc" / "kubernetes" / "cni" / "funcflow-metadata"


@pytest.fixture(scope="module")
def plugin(installation: Installation) -> Iterator[None]:
    """In the chain of our node, for the namespaces of this installation alone."""
    cluster = installation.cluster
    if not isinstance(cluster, Cluster) or not cluster.is_ours:
        pytest.skip("the nodes are somebody else's")
    binary = cluster.home / "debian" / "usr" / "lib" / "cni" / PLUGIN.name
    chain = json.loads((cluster.home / "conf" / "cni" / "10-pods.conflist").read_text())
    namespaces = f"{installation.name} {installation.name}-*"
    chain["plugins"].append({"type": PLUGIN.name, "namespaces": namespaces})
    ours = cluster.home / "conf" / "cni" / "05-metadata.conflist"
    shutil.copy(PLUGIN, binary)
    ours.write_text(json.dumps(chain))
    try:
        yield
    finally:
        ours.unlink()
        binary.unlink()


@pytest.fixture
def worker(plugin: None, sandbox: KubernetesSandbox, folder: Path) -> Iterator[Worker]:
    made = sandbox.start(sandboxing.spec(folder, "metadata.learn_of"))
    yield made
    made.kill()


def value(worker: Worker, input: Any) -> Any:
    outcome, log = sandboxing.call(worker, input)
    assert outcome.error is None, (outcome.error, log.text())
    return json.loads(outcome.value or "")


def test_the_address_of_virtual_machines_is_the_pods_own(worker: Worker) -> None:
    told = value(worker, {"path": "execution_id"})
    assert told["value"] == told["id"]
    assert told["url"] == "http://169.254.169.254/funcflow/v1"


def test_pods_keep_the_rights_they_had(worker: Worker, installation: Installation) -> None:
    """None: the address comes from the node."""
    (pod,) = [each for each in installation.pods() if each["metadata"]["name"] == worker.id]
    (container,) = pod["spec"]["containers"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert "initContainers" not in pod["spec"]
