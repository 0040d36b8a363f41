"""Namespaces that are ready for workers: with their quota and their walls.

Used by :mod:`.warm` before the first pod in a namespace.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from typing import Any

from funcflow.sandboxes.kubernetes import walls
from funcflow.sandboxes.kubernetes.api import Api, ApiError
from funcflow.sandboxes.kubernetes.walls import Network

Manifest = dict[str, Any]

LOG = logging.getLogger(__name__)

#: Seconds in which the cluster begins to count for a new quota.
_COUNTED = 5.0
_NETWORKING = "/apis/networking.k8s.io/v1"


class Namespaces:
    """Thread-safe; each namespace is looked after once."""

    def __init__(
        self,
        api: Api,
        base: str,
        installation: str,
        network: Network,
        quota: Mapping[str, str],
    ) -> None:
        """:param base: the namespace that is no project's, and has no quota"""
        self._api = api
        self._base = base
        self._installation = installation
        self._network = network
        self._quota = quota
        self._lock = threading.Lock()
        self._ready: set[str] = set()

    def ensure(self, name: str, project_id: str | None) -> None:
        """:raises ApiError: it cannot be made, or not put right"""
        with self._lock:
            if name in self._ready:
                return
            self._make("/api/v1/namespaces", walls.namespace(name, self._installation, project_id))
            policies = f"{_NETWORKING}/namespaces/{name}/networkpolicies"
            for policy in walls.policies(name, self._installation, self._network):
                self._make(policies, policy)
            if name != self._base and self._quota:
                quotas = f"/api/v1/namespaces/{name}/resourcequotas"
                self._make(quotas, walls.quota(name, self._installation, self._quota))
                self._await_quota(f"{quotas}/workers")
            self._ready.add(name)

    def _await_quota(self, path: str) -> None:
        """A quota that nobody has counted yet bounds nothing."""
        deadline = time.monotonic() + _COUNTED
        while time.monotonic() < deadline:
            if self._api.get(path).get("status", {}).get("hard"):
                return
            time.sleep(0.05)
        LOG.warning("nobody counts for the quota %s", path)

    def forget(self, name: str) -> None:
        """Somebody removed it."""
        with self._lock:
            self._ready.discard(name)

    def _make(self, path: str, manifest: Manifest) -> None:
        """Create it, or make the one that is there as it should be."""
        try:
            self._api.create(path, manifest)
        except ApiError as exc:
            if exc.status != 409:
                raise
            change = {"metadata": {"labels": manifest["metadata"]["labels"]}}
            if "spec" in manifest:
                change["spec"] = manifest["spec"]
            self._api.patch(f"{path}/{manifest['metadata']['name']}", change)
