"""Which walls hold in this cluster, and whether a function may run behind those.

Used by :mod:`.driver`; ``funcflow status`` shows the list.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from oslo_config import cfg

from funcflow.sandboxes.base import Protection, SandboxError
from funcflow.sandboxes.kubernetes.api import Api, ApiError
from funcflow.sandboxes.kubernetes.manifests import Kind

_CLASSES = "/apis/node.k8s.io/v1/runtimeclasses"
#: Seconds for which an answer of the API server is good.
_FRESH = 30.0


class Walls:
    """Asks the API server, and remembers for a while. Thread-safe."""

    def __init__(self, api: Api, conf: cfg.ConfigOpts, network: Callable[[], Protection]) -> None:
        """:param network: what is known of the enforcement of policies; may raise ApiError"""
        self._api = api
        self._network = network
        self._conf = conf
        self._lock = threading.Lock()
        self._known: dict[str, tuple[bool, float]] = {}

    def check(self, kind: Kind, trusted: bool) -> None:
        """:raises SandboxError: ``unprotected``: a wall is missing that this kind must have
        :raises ApiError: the API server is away
        """
        if kind.runtime_class is not None and not self._has_class(kind.runtime_class):
            raise missing(f"this cluster has no RuntimeClass {kind.runtime_class!r}")
        alone = kind.runtime_class is not None
        if not trusted and not alone and not self._conf.sandbox.allow_unprotected:
            raise missing("there is no RuntimeClass for functions that are not trusted")

    def survey(self) -> tuple[Protection, ...]:
        """In a stable order."""
        try:
            version = self._api.get("/version")
        except ApiError as exc:
            return (Protection("cluster", False, exc.message),)
        told = f"Kubernetes {version.get('gitVersion')}"
        return (
            Protection("cluster", True, told),
            Protection("user", True, "not root, no capabilities, no new privileges"),
            Protection("files", True, "read-only root, no service account"),
            Protection("syscalls", True, "seccomp RuntimeDefault"),
            Protection("memory", True, "limit of the container"),
            Protection("cpu", True, "limit of the container"),
            Protection("pids", True, "the agent's, and the kubelet's podPidsLimit where set"),
            self._policies(),
            self._untrusted(),
        )

    def _policies(self) -> Protection:
        try:
            self._api.get("/apis/networking.k8s.io/v1")
        except ApiError as exc:
            return Protection("network", False, f"no network policies: {exc.message}")
        try:
            return self._network()
        except ApiError as exc:
            if exc.status == 404:  # nobody was here yet
                return Protection("network", True, "policies; tried with the first worker")
            return Protection("network", False, exc.message)

    def _untrusted(self) -> Protection:
        name = self._conf.kubernetes.untrusted_class
        if not name:
            return Protection("kernel", False, "shared; set [kubernetes] untrusted_class")
        try:
            there = self._has_class(name)
        except ApiError as exc:
            return Protection("kernel", False, exc.message)
        return Protection("kernel", there, f"RuntimeClass {name} for untrusted functions")

    def _has_class(self, name: str) -> bool:
        now = time.monotonic()
        with self._lock:
            found, at = self._known.get(name, (False, -_FRESH))
        if now - at < _FRESH:
            return found
        try:
            self._api.get(f"{_CLASSES}/{name}")
            found = True
        except ApiError as exc:
            if exc.status != 404:
                raise
            found = False
        with self._lock:
            self._known[name] = found, now
        return found


def missing(message: str) -> SandboxError:
    """What code that is not trusted is refused with."""
    return SandboxError(
        message,
        code="unprotected",
        hint="Your operator has to provide it: a RuntimeClass (gVisor, Kata) that [kubernetes] "
        "untrusted_class names, a network that enforces policies; for code you trust, use a "
        "trusted runtime.",
    )
