"""funcflow deployed by its own manifests, in namespaces of a test's own; for the tests beside it.

What is changed of ``etc/kubernetes/base`` is what this one small node cannot have: storage classes,
an authentication service, room for what the pods ask for.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tools.services.kubernetes import Cluster

BASE = Path(__file__).resolve().parents[3] / "etc" / "kubernetes" / "base"
#: The API listens on loopback while it authenticates nobody; this stands where a site's own
#: authenticating proxy does. It goes on while there are connections, as such a proxy does.
GATEWAY = """
import asyncio, signal
open_connections = 0
async def pipe(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
async def connected(reader, writer):
    global open_connections
    open_connections += 1
    try:
        there, out = await asyncio.open_connection("127.0.0.1", 7070)
        await asyncio.gather(pipe(reader, out), pipe(there, writer))
    except OSError:
        writer.close()
    finally:
        open_connections -= 1
async def main():
    server = await asyncio.start_server(connected, "0.0.0.0", 7071)
    leaving = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leaving.set)
    await leaving.wait()
    while open_connections:
        await asyncio.sleep(0.1)
asyncio.run(main())
"""
HOST = {"name": "Host", "value": "127.0.0.1:7070"}


class Deployment:
    """``database``: as its pods reach it."""

    def __init__(self, cluster: Cluster, images: dict[str, str], database: str, packages: Path):
        self.cluster = cluster
        self.name = f"deploy-{uuid.uuid4().hex[:8]}"
        self._images = images
        self._database = database
        self._packages = packages

    def kubectl(self, *arguments: str, **options: Any) -> str:
        return self.cluster.kubectl("--namespace", self.name, *arguments, **options)

    def manifests(self) -> list[dict[str, Any]]:
        """What is applied."""
        text = self.cluster.kubectl("kustomize", str(BASE))
        found = [each for each in yaml.safe_load_all(text) if each]
        for each in found:
            self._adapt(each)
        return [each for each in found if each["kind"] != "PersistentVolumeClaim"] + [
            self._secret()
        ]

    def apply(self) -> None:
        documents = yaml.safe_dump_all(self.manifests())
        self.cluster.kubectl("apply", "--filename", "-", input=documents)

    def wait(self, *workloads: str) -> None:
        for workload in workloads:
            self.kubectl("rollout", "status", workload, "--timeout=400s", timeout=420)

    def remove(self) -> None:
        for kind in ("clusterrolebinding", "clusterrole"):
            self.cluster.kubectl("delete", kind, f"funcflow-conductor-{self.name}", "--wait=false")
        found = json.loads(self.cluster.kubectl("get", "namespace", "-o", "json"))["items"]
        names = [each["metadata"]["name"] for each in found]
        mine = [name for name in names if name == self.name or name.startswith(f"{self.name}-")]
        self.cluster.kubectl("delete", "namespace", *mine, "--wait=false")

    def _secret(self) -> dict[str, Any]:
        values = {"secret": self.name, "database-url": self._database}
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "funcflow", "namespace": self.name},
            "stringData": values,
        }

    def _adapt(self, each: dict[str, Any]) -> None:
        kind, metadata = each["kind"], each["metadata"]
        if kind == "Namespace":
            metadata["name"] = self.name
            metadata["labels"]["funcflow.openstack.org/installation"] = self.name
        elif kind in ("ClusterRole", "ClusterRoleBinding"):
            metadata["name"] = f"funcflow-conductor-{self.name}"
        if "namespace" in metadata:
            metadata["namespace"] = self.name
        for subject in each.get("subjects") or []:
            subject["namespace"] = self.name
        if kind == "ClusterRoleBinding":
            each["roleRef"]["name"] = metadata["name"]
        if kind == "PodDisruptionBudget" and not self._has("policy/v1"):
            each["apiVersion"] = "policy/v1beta1"
        if kind == "ConfigMap":
            each["data"]["funcflow.conf"] = self._configuration(each["data"]["funcflow.conf"])
        if "template" in each.get("spec", {}):
            self._adapt_pods(each["spec"])

    def _configuration(self, text: str) -> str:
        changes = {
            "host = 0.0.0.0": "host = 127.0.0.1",
            "namespace = funcflow\n": (
                f"namespace = {self.name}\ninstallation = {self.name}\novercommit = 200\n"
                "pool_max = 2\n"
            ),
        }
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        return text.replace("registry.local/funcflow", self.cluster.registry)

    def _adapt_pods(self, spec: dict[str, Any]) -> None:
        pod = spec["template"]["spec"]
        labels = spec["template"]["metadata"]["labels"]
        if "funcflow.openstack.org/installation" in labels:
            labels["funcflow.openstack.org/installation"] = self.name
        for claim in spec.pop("volumeClaimTemplates", []):
            pod["volumes"].append({"name": claim["metadata"]["name"], "emptyDir": {}})
        for volume in pod["volumes"]:
            if volume.pop("persistentVolumeClaim", None):
                volume["hostPath"] = {"path": str(self._packages)}
        for container in pod["containers"] + pod.get("initContainers", []):
            container["resources"]["requests"] = {"cpu": "10m", "memory": "64Mi"}
            container["image"] = self._images[container["image"].split("/")[-1].split(":")[0]]
        if pod["containers"][0]["name"] == "api":
            self._put_gateway_before(pod)

    def _put_gateway_before(self, pod: dict[str, Any]) -> None:
        api = pod["containers"][0]
        del api["ports"]
        for probe in (api["readinessProbe"], api["livenessProbe"]):
            probe["httpGet"] |= {"port": 7071, "httpHeaders": [HOST]}
        pod["containers"].append(
            {
                "name": "gateway",
                "image": self._images["agent"],
                "command": ["/usr/bin/python3", "-c", GATEWAY],
                "ports": [{"name": "http", "containerPort": 7071}],
                "lifecycle": api["lifecycle"],
                "resources": {"requests": {"cpu": "10m"}},
                "securityContext": api["securityContext"],
            }
        )

    def _has(self, version: str) -> bool:
        try:
            self.cluster.kubectl("get", "--raw", f"/apis/{version}")
        except subprocess.CalledProcessError:
            return False
        return True


@contextlib.contextmanager
def deployed(
    cluster: Cluster, images: dict[str, str], database: str, packages: Path
) -> Iterator[Deployment]:
    """It runs; its ensemble, conductors and APIs are ready."""
    made = Deployment(cluster, images, database, packages)
    try:
        made.apply()
        made.wait("statefulset/zookeeper", "statefulset/conductor", "deployment/api")
        yield made
    finally:
        made.remove()
