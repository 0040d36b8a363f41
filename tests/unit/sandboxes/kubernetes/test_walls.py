"""Namespaces, quotas and policies, compared whole."""

from __future__ import annotations

from funcflow.sandboxes.kubernetes import walls
from funcflow.sandboxes.kubernetes.walls import Network

PREFIX = "funcflow.openstack.org"
OURS = {"app.kubernetes.io/managed-by": "funcflow", f"{PREFIX}/installation": "cloud"}
WORKERS = {"app.kubernetes.io/component": "worker", f"{PREFIX}/installation": "cloud"}


def test_a_project_has_a_namespace_of_its_own() -> None:
    assert walls.namespace("funcflow-p", "cloud", "p") == {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": "funcflow-p",
            "labels": OURS
            | {f"{PREFIX}/project": "p", "pod-security.kubernetes.io/enforce": "restricted"},
        },
    }
    assert walls.namespace("funcflow", "cloud", None)["metadata"]["labels"] == OURS


def test_quota() -> None:
    assert walls.quota("funcflow-p", "cloud", {"pods": "5"}) == {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "workers", "namespace": "funcflow-p", "labels": OURS},
        "spec": {"hard": {"pods": "5"}},
    }


def test_nothing_in_but_from_conductors_and_nothing_out() -> None:
    network = Network(conductors=["192.0.2.0/24"])
    closed, open_ = walls.policies("funcflow-p", "cloud", network)
    assert closed == {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "workers", "namespace": "funcflow-p", "labels": OURS},
        "spec": {
            "podSelector": {"matchLabels": WORKERS},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {
                    "from": [
                        {
                            "namespaceSelector": {
                                "matchLabels": {f"{PREFIX}/installation": "cloud"}
                            },
                            "podSelector": {
                                "matchLabels": WORKERS
                                | {"app.kubernetes.io/component": "conductor"}
                            },
                        },
                        {"ipBlock": {"cidr": "192.0.2.0/24"}},
                    ],
                    "ports": [{"protocol": "TCP", "port": 7080}],
                }
            ],
        },
    }
    assert open_["spec"]["egress"] == []


def test_a_network_for_functions_that_ask_for_one() -> None:
    network = Network(
        egress=["0.0.0.0/0", "2001:db8::/32", "169.254.169.254/32"],
        egress_except=["10.0.0.0/8", "2001:db8:1::/48"],
    )
    _, open_ = walls.policies("funcflow-p", "cloud", network)
    assert open_["spec"] == {
        "podSelector": {"matchLabels": WORKERS | {f"{PREFIX}/network": "open"}},
        "policyTypes": ["Egress"],
        "egress": [
            {
                "to": [
                    {
                        "ipBlock": {
                            "cidr": "0.0.0.0/0",
                            "except": ["10.0.0.0/8", "169.254.169.254/32"],
                        }
                    },
                    {"ipBlock": {"cidr": "2001:db8::/32", "except": ["2001:db8:1::/48"]}},
                ]
            },
            {
                "to": [{"namespaceSelector": {}}],
                "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
            },
        ],
    }
