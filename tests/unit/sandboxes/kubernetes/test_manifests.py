"""What is made in a cluster, compared whole."""

from __future__ import annotations

import dataclasses
from typing import Any

from funcflow.sandboxes.kubernetes import manifests
from funcflow.sandboxes.kubernetes.manifests import Claim, Kind, Style

PREFIX = "funcflow.openstack.org"
KIND = Kind(
    namespace="funcflow-p",
    image="registry.example/python3:1",
    language="python3",
    memory=128 << 20,
    cpu=100,
)
STYLE = Style(installation="cloud", keys="ab" * 32)
CLAIM = Claim(owner="host-0", project_id="p", function_id="f", revision=3, network=False)

SHARED = {
    "app.kubernetes.io/managed-by": "funcflow",
    "app.kubernetes.io/component": "worker",
    f"{PREFIX}/installation": "cloud",
    f"{PREFIX}/language": "python3",
}
CLAIMED = {
    f"{PREFIX}/owner": "host-0",
    f"{PREFIX}/project": "p",
    f"{PREFIX}/function": "f",
    f"{PREFIX}/revision": "3",
}
CONTAINER: dict[str, Any] = {
    "name": "worker",
    "image": "registry.example/python3:1",
    "imagePullPolicy": "IfNotPresent",
    "securityContext": {
        "privileged": False,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    },
    "resources": {
        "requests": {"cpu": "100m", "memory": "159383552", "ephemeral-storage": "16777216"},
        "limits": {"cpu": "1000m", "memory": "159383552", "ephemeral-storage": "285212672"},
    },
    "ports": [{"name": "worker", "containerPort": 7080, "protocol": "TCP"}],
    "env": [
        {
            "name": "FUNCFLOW_POD",
            "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.uid"}},
        },
        {"name": "FUNCFLOW_KEYS", "value": "ab" * 32},
    ],
    "volumeMounts": [
        {"name": "tmp", "mountPath": "/tmp"},
        {"name": "package", "mountPath": "/package"},
    ],
    "readinessProbe": {
        "tcpSocket": {"port": 7080},
        "periodSeconds": 1,
        "timeoutSeconds": 5,
        "failureThreshold": 3,
    },
}
SPEC: dict[str, Any] = {
    "restartPolicy": "Never",
    "terminationGracePeriodSeconds": 30,
    "automountServiceAccountToken": False,
    "enableServiceLinks": False,
    "hostNetwork": False,
    "hostPID": False,
    "hostIPC": False,
    "securityContext": {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "fsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    },
    "containers": [CONTAINER],
    "volumes": [
        {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "67108864"}},
        {"name": "package", "emptyDir": {"medium": "", "sizeLimit": "268435456"}},
    ],
    "tolerations": [
        {
            "key": f"node.kubernetes.io/{what}",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": 30,
        }
        for what in ("not-ready", "unreachable")
    ],
}


def test_a_pod_of_its_own() -> None:
    assert manifests.pod(KIND, STYLE, CLAIM) == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": "worker-python3-",
            "namespace": "funcflow-p",
            "labels": SHARED | CLAIMED,
        },
        "spec": SPEC,
    }


def test_a_pool() -> None:
    mine = {f"{PREFIX}/pool": KIND.pool, f"{PREFIX}/installation": "cloud"}
    assert manifests.pool(KIND, STYLE, {"host-1": 2, "host-0": 1}) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": KIND.pool,
            "namespace": "funcflow-p",
            "labels": SHARED,
            "annotations": {f"demand.{PREFIX}/host-0": "1", f"demand.{PREFIX}/host-1": "2"},
        },
        "spec": {
            "replicas": 3,
            "revisionHistoryLimit": 0,
            "progressDeadlineSeconds": 120,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "50%"}},
            "selector": {"matchLabels": mine},
            "template": {
                "metadata": {"labels": SHARED | mine},
                "spec": SPEC | {"restartPolicy": "Always"},
            },
        },
    }


def test_an_image_function_has_an_agent_beside_it() -> None:
    kind = dataclasses.replace(
        KIND, image="user/own:2", language="own", agent="funcflow/agent:1",
        environment=(("A", "1"),),
    )  # fmt: skip
    spec = manifests.pod(kind, STYLE, CLAIM)["spec"]
    agent, function = spec.pop("containers")
    assert agent == CONTAINER | {
        "image": "funcflow/agent:1",
        "args": ["--sidecar", "--shared-processes"],
        # Not the function's user: it cannot touch the agent.
        "securityContext": CONTAINER["securityContext"] | {"runAsUser": 65533, "runAsGroup": 65532},
        "resources": {
            "requests": {"cpu": "10m", "memory": "41943040", "ephemeral-storage": "16777216"},
            "limits": {"cpu": "1000m", "memory": "41943040", "ephemeral-storage": "285212672"},
        },
    }
    shared = {"imagePullPolicy", "securityContext", "resources"}
    assert function == {key: CONTAINER[key] for key in shared} | {
        "name": "function",
        "image": "user/own:2",
        "env": [
            {"name": "A", "value": "1"},
            {"name": "FUNCFLOW_HOST", "value": "127.0.0.1:7081"},
            {"name": "AWS_LAMBDA_RUNTIME_API", "value": "127.0.0.1:9001"},
            {"name": "PORT", "value": "8080"},
            {"name": "FUNCFLOW_METADATA_URL", "value": "http://127.0.0.1:7082/funcflow/v1"},
        ],
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }
    rest = {key: value for key, value in SPEC.items() if key != "containers"}
    assert spec == rest | {"shareProcessNamespace": True}


def test_what_an_image_prints_goes_to_the_agent_where_its_command_is_known() -> None:
    kind = dataclasses.replace(KIND, agent="funcflow/agent:1", command=("app", "--fast"))
    spec = manifests.pod(kind, STYLE, CLAIM)["spec"]
    agent, function = spec["containers"]
    assert agent["args"][-1] == "--output=/.funcflow"
    assert agent["lifecycle"]["postStart"]["exec"]["command"][:3] == ["/bin/busybox", "sh", "-c"]
    assert agent["volumeMounts"][-1] == {"name": "funcflow", "mountPath": "/.funcflow"}
    assert function["volumeMounts"][-1] == agent["volumeMounts"][-1] | {"readOnly": True}
    assert function["command"][:3] == ["/.funcflow/busybox", "sh", "-c"]
    assert function["command"][-3:] == ["sh", "app", "--fast"]
    assert spec["volumes"][-1] == {
        "name": "funcflow", "emptyDir": {"medium": "", "sizeLimit": "4194304"}
    }  # fmt: skip


def test_kubernetes_changes_no_word_that_is_given() -> None:
    """It would put variables in place of ``$(NAME)``, and one dollar in place of two."""
    words, value = ("sh", "-c", "echo $(PORT) $$ $HOME"), "pa$$word $(PORT)"
    kind = dataclasses.replace(KIND, agent="a:1", command=words, environment=(("A", value),))
    _, function = manifests.pod(kind, STYLE, CLAIM)["spec"]["containers"]
    assert function["command"][-1] == "echo $$(PORT) $$$$ $$HOME"
    assert function["env"][0] == {"name": "A", "value": "pa$$$$word $$(PORT)"}
    # The words that are ours are not changed either.
    assert not any("$$" in word or "$(" in word for word in function["command"][:-1])


def test_what_an_operator_may_add() -> None:
    kind = dataclasses.replace(KIND, runtime_class="gvisor", cpu=3000)
    style = dataclasses.replace(
        STYLE, pull_secrets=("private",), node_selector={"disk": "fast"}, overcommit=4.0,
        priority_class="low", pull_policy="Always", tmp_size=1, package_size=2, node_patience=3,
    )  # fmt: skip
    spec = manifests.pod(kind, style, CLAIM)["spec"]
    assert spec["runtimeClassName"] == "gvisor"
    assert spec["imagePullSecrets"] == [{"name": "private"}]
    assert spec["nodeSelector"] == {"disk": "fast"}
    assert spec["priorityClassName"] == "low"
    (container,) = spec["containers"]
    assert container["imagePullPolicy"] == "Always"
    assert container["resources"]["requests"]["cpu"] == "750m"
    assert container["resources"]["limits"]["cpu"] == "3000m"
    assert [volume["emptyDir"]["sizeLimit"] for volume in spec["volumes"]] == ["1", "2"]
    assert {toleration["tolerationSeconds"] for toleration in spec["tolerations"]} == {3}


def test_taking_a_pod_out_of_its_pool() -> None:
    patch = manifests.take(KIND, dataclasses.replace(CLAIM, network=True))
    where = "/metadata/labels/funcflow.openstack.org~1"
    assert patch == [
        {"op": "test", "path": f"{where}pool", "value": KIND.pool},
        {"op": "remove", "path": f"{where}pool"},
        {"op": "add", "path": f"{where}owner", "value": "host-0"},
        {"op": "add", "path": f"{where}project", "value": "p"},
        {"op": "add", "path": f"{where}function", "value": "f"},
        {"op": "add", "path": f"{where}revision", "value": "3"},
        {"op": "add", "path": f"{where}network", "value": "open"},
    ]


def test_kinds_that_differ_have_pools_that_differ() -> None:
    changes: list[dict[str, Any]] = [
        {"image": "other"}, {"memory": 1}, {"cpu": 1}, {"runtime_class": "kata"},
        {"agent": "a"}, {"environment": (("A", "1"),)}, {"command": ("a",)}, {},
    ]  # fmt: skip
    pools = {dataclasses.replace(KIND, **change).pool for change in changes}
    assert len(pools) == len(changes)
    assert all(len(pool) < 60 for pool in pools)
