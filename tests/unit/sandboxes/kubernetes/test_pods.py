"""What a pod's status means."""

from __future__ import annotations

from typing import Any

import pytest

from funcflow.sandboxes.kubernetes import pods


def manifest(**status: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": "n",
            "name": "p",
            "uid": "u",
            "resourceVersion": "1",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"funcflow.openstack.org/owner": "host-0"},
        },
        "spec": {"nodeName": "node1"},
        "status": status,
    }


def waiting(reason: str, **fields: Any) -> dict[str, Any]:
    return {"containerStatuses": [{"state": {"waiting": {"reason": reason}}, **fields}]}


def test_a_ready_pod() -> None:
    ready = {"type": "Ready", "status": "True"}
    pod = pods.read(manifest(phase="Running", podIP="10.0.0.1", conditions=[ready]))
    assert pod == pods.Pod(
        namespace="n",
        name="p",
        uid="u",
        version="1",
        created="2026-01-01T00:00:00Z",
        labels={"funcflow.openstack.org/owner": "host-0"},
        address="10.0.0.1",
        node="node1",
        ready=True,
        ending=False,
    )
    assert pod.path == "/api/v1/namespaces/n/pods/p"
    assert pod.owner == "host-0"


def test_one_that_was_just_made_has_nothing_to_say() -> None:
    bare = manifest()
    del bare["status"]
    pod = pods.read(bare)
    assert (pod.ready, pod.address, pod.trouble, pod.ended) == (False, None, None, None)


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "CrashLoopBackOff"])
def test_what_waiting_does_not_mend(reason: str) -> None:
    pod = pods.read(manifest(phase="Pending", **waiting(reason)))
    assert pod.trouble_code == "start_failed"
    assert pod.trouble is not None
    assert pod.trouble.startswith(f"{reason}: ")


def test_a_container_that_is_on_its_way_is_no_trouble() -> None:
    assert pods.read(manifest(**waiting("ContainerCreating"))).trouble is None


def test_no_room() -> None:
    condition = {
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/1 nodes are available",
    }  # fmt: skip
    pod = pods.read(manifest(conditions=[condition]))
    assert (pod.trouble_code, pod.trouble) == (
        "cluster_full",
        "Unschedulable: 0/1 nodes are available",
    )


@pytest.mark.parametrize("where", ["state", "lastState"])
def test_out_of_memory_also_when_the_container_runs_again(where: str) -> None:
    ended = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    pod = pods.read(manifest(phase="Running", containerStatuses=[{where: ended}]))
    assert pod.ended == "OOMKilled: exit code 137"


def test_evicted() -> None:
    pod = pods.read(manifest(phase="Failed", reason="Evicted", message="low on memory"))
    assert pod.ended == "Evicted: low on memory"
