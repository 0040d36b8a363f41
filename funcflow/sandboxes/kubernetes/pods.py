"""What a pod's status means; pure functions over what the API server says.

Used by :mod:`.index`, :mod:`.warm` and :mod:`.worker`.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from funcflow.sandboxes.kubernetes import names

Manifest = dict[str, Any]

#: Why a container waits that will go on waiting until somebody changes something.
_STUCK = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "CrashLoopBackOff",
    }
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """The little of a pod that the driver looks at."""

    namespace: str
    name: str
    uid: str
    version: str
    created: str
    labels: dict[str, str]
    address: str | None
    node: str | None
    ready: bool
    #: Marked for deletion.
    ending: bool
    #: Why it does not come up, and whether waiting is of no use: ``start_failed`` (its image or
    #: container), ``cluster_full`` (no node has room).
    trouble: str | None = None
    trouble_code: str | None = None
    #: How it, or the container of its worker, ended: Evicted, OOMKilled …
    ended: str | None = None

    @property
    def path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.name}"

    @property
    def owner(self) -> str | None:
        return self.labels.get(names.OWNER)


def read(manifest: Manifest) -> Pod:
    """A pod as the API server tells it."""
    metadata, status = manifest["metadata"], manifest.get("status", {})
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    containers = status.get("containerStatuses") or []
    trouble, code = _trouble(conditions, containers)
    return Pod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        version=metadata["resourceVersion"],
        created=metadata["creationTimestamp"],
        labels=metadata.get("labels") or {},
        address=status.get("podIP"),
        node=manifest["spec"].get("nodeName"),
        ready=conditions.get("Ready", {}).get("status") == "True",
        ending="deletionTimestamp" in metadata,
        trouble=trouble,
        trouble_code=code,
        ended=_ended(status, containers),
    )


def _trouble(
    conditions: dict[str, Manifest], containers: list[Manifest]
) -> tuple[str | None, str | None]:
    for container in containers:
        waiting = container.get("state", {}).get("waiting") or {}
        if waiting.get("reason") in _STUCK:
            told = waiting.get("message") or _last_words(container)
            return f"{waiting['reason']}: {told}", "start_failed"
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        return f"Unschedulable: {scheduled.get('message', '')}", "cluster_full"
    return None, None


def _last_words(container: Manifest) -> str:
    ended = container.get("lastState", {}).get("terminated") or {}
    return f"{ended.get('reason', 'it ended')}, exit code {ended.get('exitCode')}"


def _ended(status: Manifest, containers: list[Manifest]) -> str | None:
    """The first word is Kubernetes' own."""
    if status.get("phase") in ("Failed", "Succeeded") and status.get("reason"):
        return f"{status['reason']}: {status.get('message', '')}"
    for container in containers:
        # Also when the kubelet has started it anew: what was in it is gone.
        for state in (container.get("state", {}), container.get("lastState", {})):
            ended = state.get("terminated")
            if ended:
                return f"{ended.get('reason', 'Error')}: exit code {ended.get('exitCode')}"
    return None
