"""``API CA CERTIFICATE KEY``: enforces NetworkPolicies on the node, by nftables. For ``up.sh``.

Every pod that a policy selects gets a chain for what comes in and one for what goes out; traffic
that no rule lets through is dropped. What the node itself sends to its pods (probes) is let
through, as everywhere; what pods send to the node (the API server) is not. A pod that was not heard
of yet opens no connection: on a busy node it may run before its policies are known here.
"""

from __future__ import annotations

import ipaddress
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tools.services.kubernetes.node.api import Objects, Watcher

_PATHS = {
    "pods": "/api/v1/pods",
    "namespaces": "/api/v1/namespaces",
    "policies": "/apis/networking.k8s.io/v1/networkpolicies",
}
#: Direction: member with the rules, member with the peers, our address, the peer's.
_DIRECTIONS = {
    "Ingress": ("ingress", "from", "daddr", "saddr"),
    "Egress": ("egress", "to", "saddr", "daddr"),
}


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """The label selectors of Kubernetes; an empty one selects everything."""
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for each in selector.get("matchExpressions") or []:
        key, values = each["key"], each.get("values") or []
        holds = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }[each["operator"]]
        if not holds:
            return False
    return True


class Rules:
    """The table of one state of the cluster."""

    def __init__(
        self, pods: Objects, namespaces: Objects, policies: Objects, network: str | None = None
    ) -> None:
        """:param network: the CIDR of all pods; None: those that are not known are let through"""
        self._network = network
        self._pods = [pod for pod in pods.values() if _has_network(pod)]
        # Newer clusters set this label themselves.
        self._namespaces = {
            name: {**(each["metadata"].get("labels") or {}), "kubernetes.io/metadata.name": name}
            for (_, name), each in namespaces.items()
        }
        self._policies = list(policies.values())

    def text(self) -> str:
        """For ``nft -f``; replaces the whole table at once."""
        chains: list[str] = []
        jumps: list[str] = []
        for pod in sorted(self._pods, key=_address):
            for direction, (_, _, own, _) in _DIRECTIONS.items():
                lines = self._chain(pod, direction)
                if lines is not None:
                    name = f"{direction.lower()}_{_address(pod).replace('.', '_')}"
                    body = "\n".join(f"    {line}" for line in [*lines, "counter drop"])
                    chains.append(f"  chain {name} {{\n{body}\n  }}")
                    jumps.append(f"    ip {own} {_address(pod)} jump {name}")
        unknown = self._unknown()
        outgoing = unknown + [jump for jump in jumps if " saddr " in jump]
        return (
            "table inet policies\ndelete table inet policies\ntable inet policies {\n"
            + "\n".join([*chains, *_hook("forward", unknown + jumps), *_hook("input", outgoing)])
            + "\n}\n"
        )

    def _unknown(self) -> list[str]:
        if self._network is None:
            return []
        gateway = str(next(ipaddress.ip_network(self._network).hosts()))
        known = ", ".join(sorted({gateway, *map(_address, self._pods)}))
        return [f"    ip saddr {self._network} ip saddr != {{ {known} }} counter drop"]

    def _chain(self, pod: dict[str, Any], direction: str) -> list[str] | None:
        """What is let through; None: no policy speaks of this pod and direction."""
        mine = [
            policy
            for policy in self._policies
            if policy["metadata"]["namespace"] == pod["metadata"]["namespace"]
            and selects(policy["spec"].get("podSelector") or {}, _labels(pod))
            and direction in _types(policy)
        ]
        if not mine:
            return None
        rules, peers, _, theirs = _DIRECTIONS[direction]
        lines = [
            line
            for policy in mine
            for rule in policy["spec"].get(rules) or []
            for line in self._rule(pod, policy, rule, peers, theirs)
        ]
        return list(dict.fromkeys(lines))

    # `return`, not `accept`: what the receiver lets in, the sender's policies may still forbid.
    def _rule(
        self, pod: dict[str, Any], policy: dict[str, Any], rule: dict[str, Any], peers: str, at: str
    ) -> Iterator[str]:
        if not rule.get(peers):
            for port in _ports(rule, [pod] if peers == "from" else self._pods):
                yield f"{port} return".strip()
            return
        for peer in rule[peers]:
            if "ipBlock" in peer:
                block = peer["ipBlock"]
                match = f"ip {at} {block['cidr']}"
                if block.get("except"):
                    match += f" ip {at} != {{ {', '.join(block['except'])} }}"
                found: Sequence[dict[str, Any]] = []
            else:
                found = self._peers(peer, policy["metadata"]["namespace"])
                if not found:
                    continue
                match = f"ip {at} {{ {', '.join(sorted(map(_address, found)))} }}"
            for port in _ports(rule, [pod] if peers == "from" else found):
                yield " ".join(f"{match} {port} return".split())

    def _peers(self, peer: dict[str, Any], namespace: str) -> list[dict[str, Any]]:
        if "namespaceSelector" in peer:
            chosen = {
                name
                for name, labels in self._namespaces.items()
                if selects(peer["namespaceSelector"] or {}, labels)
            }
        else:
            chosen = {namespace}
        return [
            pod
            for pod in self._pods
            if pod["metadata"]["namespace"] in chosen
            and selects(peer.get("podSelector") or {}, _labels(pod))
        ]


def _hook(name: str, jumps: list[str]) -> list[str]:
    return [
        f"  chain {name} {{",
        f"    type filter hook {name} priority -5; policy accept;",
        "    ct state established,related accept",
        *jumps,
        "  }",
    ]


def _ports(rule: dict[str, Any], receivers: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Matches of ports; ``receivers``: whose names of ports count."""
    if not rule.get("ports"):
        yield ""
    for each in rule.get("ports") or []:
        protocol, port = each.get("protocol", "TCP").lower(), each.get("port")
        if port is None:
            yield f"meta l4proto {protocol}"
        elif isinstance(port, str):
            numbers = sorted({number for pod in receivers for number in _named(pod, port)})
            if numbers:
                yield f"{protocol} dport {{ {', '.join(map(str, numbers))} }}"
        elif "endPort" in each:
            yield f"{protocol} dport {port}-{each['endPort']}"
        else:
            yield f"{protocol} dport {port}"


def _named(pod: dict[str, Any], name: str) -> Iterator[int]:
    for container in pod["spec"]["containers"]:
        for port in container.get("ports") or []:
            if port.get("name") == name:
                yield port["containerPort"]


def _types(policy: dict[str, Any]) -> Sequence[str]:
    spec = policy["spec"]
    return spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]


def _has_network(pod: dict[str, Any]) -> bool:
    status = pod.get("status", {})
    alive = status.get("phase") in ("Running", "Pending")
    return bool(status.get("podIP")) and alive and not pod["spec"].get("hostNetwork")


def _address(pod: dict[str, Any]) -> str:
    return str(pod["status"]["podIP"])


def _labels(pod: dict[str, Any]) -> dict[str, str]:
    return pod["metadata"].get("labels") or {}


class Enforcer:
    """Loads a table when it differs from the one before."""

    def __init__(self) -> None:
        self._loaded = ""

    def update(self, kinds: Mapping[str, Objects]) -> None:
        text = Rules(
            kinds["pods"], kinds["namespaces"], kinds["policies"], os.environ.get("POD_NET")
        ).text()
        if text == self._loaded:
            return
        done = subprocess.run(["nft", "-f", "-"], input=text, text=True, capture_output=True)
        print(time.strftime("%T"), "loaded" if not done.returncode else done.stderr, flush=True)
        if not done.returncode:
            self._loaded = text


if __name__ == "__main__":
    Watcher(*sys.argv[1:5]).run(_PATHS, Enforcer().update)
