"""The walls around workers that are things of the cluster: pure functions, plain data.

Namespaces, quotas and network policies. Used by :mod:`.namespaces`; the walls of a single pod are
in its manifest (:mod:`.manifests`).
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from funcflow.sandboxes.kubernetes import manifests, names

Manifest = dict[str, Any]
#: The cloud's own metadata service: not for functions, whatever else they may reach.
_CLOUD = "169.254.169.254/32"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Who may reach workers, and what workers of functions that ask for a network may reach."""

    #: CIDRs of conductors outside the cluster.
    conductors: Sequence[str] = ()
    egress: Sequence[str] = ()
    egress_except: Sequence[str] = ()


def namespace(name: str, installation: str, project_id: str | None) -> Manifest:
    labels = _labels(installation)
    if project_id is not None:
        labels[names.PROJECT] = names.label(project_id)
        # Where Pod Security admission is known it holds the same as our manifests; elsewhere it
        # is but a label. In the namespace that is no project's, others may live too.
        labels["pod-security.kubernetes.io/enforce"] = "restricted"
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": labels},
    }


def quota(name: str, installation: str, hard: Mapping[str, str]) -> Manifest:
    """What all workers of a namespace may take together."""
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "workers", "namespace": name, "labels": _labels(installation)},
        "spec": {"hard": dict(hard)},
    }


def policies(name: str, installation: str, network: Network) -> list[Manifest]:
    """Nothing in but from conductors, nothing out; more out for who may."""
    workers = {names.COMPONENT: "worker", names.INSTALLATION: names.label(installation)}
    closed = {
        "podSelector": {"matchLabels": workers},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            {
                "from": _conductors(installation, network),
                "ports": [{"protocol": "TCP", "port": manifests.PORT}],
            }
        ],
    }
    open_ = {
        "podSelector": {"matchLabels": workers | {names.NETWORK: "open"}},
        "policyTypes": ["Egress"],
        "egress": _egress(network),
    }
    return [
        _policy("workers", name, installation, closed),
        _policy("workers-with-network", name, installation, open_),
    ]


def _conductors(installation: str, network: Network) -> list[Manifest]:
    ours = {names.INSTALLATION: names.label(installation)}
    inside = {
        "namespaceSelector": {"matchLabels": ours},
        "podSelector": {"matchLabels": ours | {names.COMPONENT: "conductor"}},
    }
    return [inside, *({"ipBlock": {"cidr": cidr}} for cidr in network.conductors)]


def _egress(network: Network) -> list[Manifest]:
    if not network.egress:
        return []
    blocks = []
    holes = list(dict.fromkeys([*network.egress_except, _CLOUD]))
    for cidr in network.egress:
        if cidr == _CLOUD:
            continue
        block: Manifest = {"cidr": cidr}
        inside = [hole for hole in holes if _within(hole, cidr)]
        if inside:
            block["except"] = inside
        blocks.append({"ipBlock": block})
    # Names are resolved by the cluster's own servers, wherever those are.
    names_too = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    dns = {"to": [{"namespaceSelector": {}}], "ports": names_too}
    return [{"to": blocks}, dns]


def _within(inner: str, outer: str) -> bool:
    """An exception outside its block is refused by the API server."""
    small, big = ipaddress.ip_network(inner), ipaddress.ip_network(outer)
    return small.version == big.version and small != big and small.subnet_of(big)  # type: ignore[arg-type]


def _policy(name: str, where: str, installation: str, spec: Manifest) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": where, "labels": _labels(installation)},
        "spec": spec,
    }


def _labels(installation: str) -> dict[str, str]:
    return {names.MANAGED_BY: names.MANAGER, names.INSTALLATION: names.label(installation)}
