"""An installation of funcflow in a real cluster, of a test's own."""

from __future__ import annotations

import contextlib
import json
import socket
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from funcflow import conf
from tools.services.kubernetes import Cluster

#: For tests that may be the first to start the cluster; pods take their time on a small node.
PATIENT = pytest.mark.timeout(1500)
_INSTALLATION = "funcflow.openstack.org/installation"


class Installation:
    """Namespaces, pods and leases that no other test sees."""

    def __init__(self, cluster: Cluster, images: Mapping[str, str]) -> None:
        self.cluster = cluster
        self.images = images
        self.name = f"test-{uuid.uuid4().hex[:8]}"

    def configuration(self, data_dir: Path, **groups: dict[str, Any]) -> Any:
        """Of a conductor; ``sandbox={…}`` and ``kubernetes={…}`` on top."""
        options: dict[str, Any] = self.options(data_dir, **groups)
        return conf.load(**options)

    def options(self, data_dir: Path, **groups: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """The same, before it is a configuration."""
        kubernetes = {
            "kubeconfig": str(self.cluster.kubeconfig),
            "installation": self.name,
            "namespace": self.name,
            "images": {name: self.images[name] for name in ("python3", "nodejs")},
            "agent_image": self.images["agent"],
            "conductor_networks": ["0.0.0.0/0"],
            # A small node: functions ask for more CPU than it has.
            "overcommit": 200.0,
            "pool_max": 3,
            # The machine may be busy with other tests.
            "start_timeout": 300.0,
        }
        ours: dict[str, dict[str, Any]] = {
            "default": {"data_dir": str(data_dir), "secret": self.name},
            "sandbox": {"driver": "kubernetes"},
            "kubernetes": kubernetes,
        }
        return {group: ours.get(group, {}) | groups.get(group, {}) for group in ours | groups}

    def pods(self, *arguments: str) -> list[dict[str, Any]]:
        """All pods of workers, warm ones among them."""
        selector = f"{_INSTALLATION}={self.name}"
        command = ["get", "pods", "-A", "-l", selector, "-o", "json", *arguments]
        found: list[dict[str, Any]] = json.loads(self.cluster.kubectl(*command))["items"]
        return found

    def remove(self) -> None:
        selector = f"{_INSTALLATION}={self.name}"
        self.cluster.kubectl("delete", "namespace", "-l", selector, "--wait=false")


def own_address(cluster: Cluster) -> str:
    """This host's, as nodes and pods see it."""
    node = json.loads(cluster.kubectl("get", "nodes", "-o", "json"))["items"][0]
    (address,) = (
        each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP"
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((address, 9))  # Sends nothing.
        return str(probe.getsockname()[0])


@contextlib.contextmanager
def installation(cluster: Cluster, images: Mapping[str, str]) -> Iterator[Installation]:
    """One that is removed in the end."""
    made = Installation(cluster, images)
    try:
        yield made
    finally:
        made.remove()
