"""From policies to packet filter rules: every form of peer and port."""

from __future__ import annotations

from typing import Any

import pytest

from tools.services.kubernetes.node.policies import Rules, selects


def pod(name: str, address: str, namespace: str = "a", **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"containers": [{"ports": [{"name": "worker", "containerPort": 7080}]}]},
        "status": {"podIP": address, "phase": "Running"},
    }


def chains(spec: dict[str, Any], *pods: dict[str, Any]) -> dict[str, list[str]]:
    """The rules of each chain, for one policy in the namespace ``a``."""
    policy = {"metadata": {"name": "p", "namespace": "a"}, "spec": spec}
    namespaces = {
        ("", name): {"metadata": {"name": name, "labels": {"team": name}}} for name in ("a", "b")
    }
    found = {(each["metadata"]["namespace"], each["metadata"]["name"]): each for each in pods}
    text = Rules(found, namespaces, {("a", "p"): policy}).text()
    result: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("  chain "):
            lines = result[line.split()[1]] = []
        elif line.startswith("    "):
            lines.append(line.strip())
    return result


WEB = pod("web", "10.0.0.1", app="web")
CLIENT = pod("client", "10.0.0.2", app="client")
OTHER = pod("other", "10.0.0.3", "b", app="client")


def test_pods_that_are_not_known_yet_open_no_connection() -> None:
    found = {("a", "client"): CLIENT}
    text = Rules(found, {}, {}, "10.0.0.0/24").text()
    drop = "ip saddr 10.0.0.0/24 ip saddr != { 10.0.0.1, 10.0.0.2 } counter drop"
    assert text.count(drop) == 2  # To other nodes and pods, and to the node itself.
    assert "drop" not in Rules(found, {}, {}).text()


def test_default_deny() -> None:
    found = chains({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}, WEB, OTHER)
    assert found["ingress_10_0_0_1"] == ["counter drop"]
    assert found["egress_10_0_0_1"] == ["counter drop"]
    assert not [name for name in found if "10_0_0_3" in name]
    # What goes to the node itself, such as the API server, is not forwarded.
    assert found["input"][2:] == ["ip saddr 10.0.0.1 jump egress_10_0_0_1"]


@pytest.mark.parametrize(
    ("peer", "rule"),
    [
        ({"podSelector": {"matchLabels": {"app": "client"}}}, "ip saddr { 10.0.0.2 } return"),
        ({"namespaceSelector": {"matchLabels": {"team": "b"}}}, "ip saddr { 10.0.0.3 } return"),
        (
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "b"}}},
            "ip saddr { 10.0.0.3 } return",
        ),
        (
            {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "client"}}},
            "ip saddr { 10.0.0.2, 10.0.0.3 } return",
        ),
        (
            {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "192.0.2.0/24"]}},
            "ip saddr 0.0.0.0/0 ip saddr != { 10.0.0.0/8, 192.0.2.0/24 } return",
        ),
        ({"ipBlock": {"cidr": "192.0.2.1/32"}}, "ip saddr 192.0.2.1/32 return"),
    ],
)
def test_peers(peer: dict[str, Any], rule: str) -> None:
    spec = {"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [{"from": [peer]}]}
    assert chains(spec, WEB, CLIENT, OTHER)["ingress_10_0_0_1"] == [rule, "counter drop"]


def test_what_is_let_in_may_still_not_leave() -> None:
    """A rule that fits goes back to the hook, which asks the other end's chain as well."""
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]}
    found = chains(spec, WEB, CLIENT)
    assert not [
        rule for name in found if "_10_" in name for rule in found[name] if "accept" in rule
    ]
    assert found["forward"][2:] == [
        "ip daddr 10.0.0.1 jump ingress_10_0_0_1",
        "ip daddr 10.0.0.2 jump ingress_10_0_0_2",
    ]


def test_a_peer_that_is_nobody_lets_nobody_in() -> None:
    spec = {
        "podSelector": {},
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"x": "y"}}}]}],
    }
    assert chains(spec, WEB)["ingress_10_0_0_1"] == ["counter drop"]


@pytest.mark.parametrize(
    ("port", "rule"),
    [
        ({"port": 80}, "tcp dport 80 return"),
        ({"port": 53, "protocol": "UDP"}, "udp dport 53 return"),
        ({"protocol": "SCTP"}, "meta l4proto sctp return"),
        ({"port": 8000, "endPort": 8010}, "tcp dport 8000-8010 return"),
        ({"port": "worker"}, "tcp dport { 7080 } return"),
    ],
)
def test_ports(port: dict[str, Any], rule: str) -> None:
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"ports": [port]}]}
    assert chains(spec, WEB)["egress_10_0_0_1"] == [rule, "counter drop"]


def test_everything_is_let_through_by_an_empty_rule() -> None:
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]}
    assert chains(spec, WEB)["ingress_10_0_0_1"] == ["return", "counter drop"]


def test_pods_that_have_no_network_of_their_own_or_ended() -> None:
    ended, host = pod("ended", "10.0.0.4"), pod("host", "10.0.0.5")
    ended["status"]["phase"] = "Succeeded"
    host["spec"]["hostNetwork"] = True
    found = chains({"podSelector": {}}, WEB, ended, host)
    assert [name for name in found if name.startswith("ingress")] == ["ingress_10_0_0_1"]


@pytest.mark.parametrize(
    ("operator", "values", "holds"),
    [
        ("In", ["web"], True),
        ("In", ["db"], False),
        ("NotIn", ["web"], False),
        ("NotIn", ["db"], True),
        ("Exists", None, True),
        ("DoesNotExist", None, False),
    ],
)
def test_expressions(operator: str, values: list[str] | None, holds: bool) -> None:
    each = {"key": "app", "operator": operator, "values": values}
    assert selects({"matchExpressions": [each]}, {"app": "web"}) is holds
