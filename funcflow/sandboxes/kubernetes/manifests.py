"""What funcflow makes in a cluster, as plain data: pure functions, no cluster needed.

Called by the rest of this driver. Only what every Kubernetes from 1.20 on understands.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from funcflow.sandboxes.kubernetes import names

Manifest = dict[str, Any]

#: Where the agent in a pod takes the conductor's connection.
PORT = 7080
#: Seconds that running calls get when somebody else deletes the pod (drain, eviction).
GRACE = 30
#: Who workers run as; any but root would do.
USER = 65532
_MIB = 1 << 20
#: Where the container of an image function finds the agent, and where the agent looks for it.
ADDRESSES = [
    {"name": "FUNCFLOW_HOST", "value": "127.0.0.1:7081"},
    {"name": "AWS_LAMBDA_RUNTIME_API", "value": "127.0.0.1:9001"},
    {"name": "PORT", "value": "8080"},
    {"name": "FUNCFLOW_METADATA_URL", "value": "http://127.0.0.1:7082/funcflow/v1"},
]
#: Where an image function's container finds a shell of its own, and the pipes it prints to.
SHARED = "/.funcflow"
#: The agent's user beside an image: what runs there cannot touch it, nor the agent that.
AGENT_USER = 65533
#: Before the other container starts: the shell, which needs nothing of that image, and the pipes.
_PROVIDE = f"""cp /bin/busybox {SHARED}/ && cd {SHARED} || exit 1
for name in stdout stderr; do [ -p $name ] || mkfifo -m 660 $name || exit 1; done"""
#: The command of the image with its output in the pipes. This shell prefers programs of its own,
#: so the image's are looked up first.
_LAUNCH = f"""case "$1" in */*) ;; *)
  found=`{SHARED}/busybox which "$1"` || {{ echo "no program $1 in $PATH" >&2; exit 127; }}
  shift; set -- "$found" "$@";; esac
exec "$@" 1<>{SHARED}/stdout 2<>{SHARED}/stderr"""
#: Bytes an agent and its interpreter take beside what the function may use.
OVERHEAD = 24 * _MIB


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What generic pods are alike in: any of them can become a worker of the same needs."""

    namespace: str
    image: str
    language: str
    #: Bytes and millicpu a function asks for.
    memory: int
    cpu: int
    runtime_class: str | None = None
    #: Image functions: the agent's image, and what the function's own container gets.
    agent: str | None = None
    environment: tuple[tuple[str, str], ...] = ()
    #: What to run in it, where that is known; it is the only way to see what it prints.
    command: tuple[str, ...] = ()

    @property
    def pool(self) -> str:
        """The name of its pool, the same for every conductor."""
        needs = repr(dataclasses.astuple(self))
        return f"warm-{names.dns(self.language, 30)}-{names.digest(needs)}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What all pods of an installation have in common; see ``[kubernetes]``."""

    installation: str
    #: Public keys of conductors, in hexadecimal.
    keys: str
    #: Millicpu a worker may use where nobody else needs them.
    cpu_burst: int = 1000
    #: How much more CPU functions ask for than the scheduler is asked for.
    overcommit: float = 1.0
    tmp_size: int = 64 * _MIB
    #: Bytes of an unpacked package.
    package_size: int = 256 * _MIB
    pull_policy: str = "IfNotPresent"
    pull_secrets: Sequence[str] = ()
    node_selector: Mapping[str, str] = dataclasses.field(default_factory=dict)
    priority_class: str | None = None
    #: Seconds pods outlive their node's last sign of life.
    node_patience: int = 30


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Whose worker a pod becomes."""

    owner: str
    project_id: str
    function_id: str
    revision: int
    network: bool


def pod(kind: Kind, style: Style, claim: Claim) -> Manifest:
    """A pod of its own for one worker, taken from the start; the server completes its name."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"worker-{names.dns(kind.language, 30)}-",
            "namespace": kind.namespace,
            "labels": _labels(style.installation) | claimed(claim) | _language(kind),
        },
        "spec": _pod_spec(kind, style, "Never"),
    }


def pool(kind: Kind, style: Style, demand: Mapping[str, int]) -> Manifest:
    """The warm pool of a kind: as many generic pods as the conductors want together."""
    mine = {names.POOL: kind.pool, names.INSTALLATION: names.label(style.installation)}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": kind.pool,
            "namespace": kind.namespace,
            "labels": _labels(style.installation) | _language(kind),
            "annotations": demands(demand),
        },
        "spec": {
            "replicas": sum(demand.values()),
            "revisionHistoryLimit": 0,
            "progressDeadlineSeconds": 120,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "50%"}},
            "selector": {"matchLabels": mine},
            "template": {
                "metadata": {"labels": _labels(style.installation) | _language(kind) | mine},
                # Deployments allow no other policy; an agent never ends by itself.
                "spec": _pod_spec(kind, style, "Always"),
            },
        },
    }


def demands(demand: Mapping[str, int]) -> dict[str, str]:
    """The wishes of the conductors as annotations of a pool."""
    return {f"{names.DEMAND}{owner}": str(count) for owner, count in sorted(demand.items())}


def claimed(claim: Claim) -> dict[str, str]:
    """The labels that make a pod the worker of one revision."""
    labels = {
        names.OWNER: claim.owner,
        names.PROJECT: names.label(claim.project_id),
        names.FUNCTION: names.label(claim.function_id),
        names.REVISION: str(claim.revision),
    }
    return labels | ({names.NETWORK: "open"} if claim.network else {})


def take(kind: Kind, claim: Claim) -> list[dict[str, Any]]:
    """The JSON patch that takes a pod out of its pool; fails if somebody else was first."""
    where = f"/metadata/labels/{_escaped(names.POOL)}"
    return [
        {"op": "test", "path": where, "value": kind.pool},
        {"op": "remove", "path": where},
        *(
            {"op": "add", "path": f"/metadata/labels/{_escaped(name)}", "value": value}
            for name, value in claimed(claim).items()
        ),
    ]


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _labels(installation: str) -> dict[str, str]:
    return {
        names.MANAGED_BY: names.MANAGER,
        names.COMPONENT: "worker",
        names.INSTALLATION: names.label(installation),
    }


def _language(kind: Kind) -> dict[str, str]:
    return {names.LANGUAGE: names.label(kind.language)}


def _pod_spec(kind: Kind, style: Style, restart: str) -> Manifest:
    spec: Manifest = {
        "restartPolicy": restart,
        "terminationGracePeriodSeconds": GRACE,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "hostNetwork": False,
        "hostPID": False,
        "hostIPC": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": _containers(kind, style),
        "volumes": [
            # In memory: the kernel, not a scan of the disk, says when it is full.
            _volume("tmp", style.tmp_size, "Memory"),
            _volume("package", style.package_size),
        ],
        "tolerations": [
            {
                "key": f"node.kubernetes.io/{what}",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": style.node_patience,
            }
            for what in ("not-ready", "unreachable")
        ],
    }
    if kind.agent is not None:
        spec["shareProcessNamespace"] = True
    if kind.command:
        spec["volumes"].append(_volume("funcflow", 4 * _MIB))
    if kind.runtime_class:
        spec["runtimeClassName"] = kind.runtime_class
    if style.pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in style.pull_secrets]
    if style.node_selector:
        spec["nodeSelector"] = dict(style.node_selector)
    if style.priority_class:
        spec["priorityClassName"] = style.priority_class
    return spec


def _containers(kind: Kind, style: Style) -> list[Manifest]:
    memory = kind.memory + OVERHEAD
    cpu = max(kind.cpu, style.cpu_burst)
    disk = style.package_size + 16 * _MIB
    if kind.agent is None:
        container = _container("worker", kind.image, style, (kind.cpu, cpu), memory, disk)
        return [container | _agent(style)]
    agent = _container("worker", kind.agent, style, (10, cpu), OVERHEAD + 16 * _MIB, disk)
    function = _container("function", kind.image, style, (kind.cpu, cpu), memory, disk)
    return _beside(agent | _agent(style), function, kind)


def _beside(agent: Manifest, function: Manifest, kind: Kind) -> list[Manifest]:
    """The agent sees the processes of the function's container, and reads what it prints."""
    environment = [{"name": name, "value": _literal(value)} for name, value in kind.environment]
    function |= {
        "env": environment + ADDRESSES,
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
    }
    agent["securityContext"] |= {"runAsUser": AGENT_USER, "runAsGroup": USER}
    agent["args"] = ["--sidecar", "--shared-processes"]
    if kind.command:
        shared = {"name": "funcflow", "mountPath": SHARED}
        agent["args"].append(f"--output={SHARED}")
        agent["volumeMounts"].append(shared)
        provide = {"exec": {"command": ["/bin/busybox", "sh", "-c", _PROVIDE]}}
        agent["lifecycle"] = {"postStart": provide}
        function["volumeMounts"].append(shared | {"readOnly": True})
        words = map(_literal, kind.command)
        function["command"] = [f"{SHARED}/busybox", "sh", "-c", _LAUNCH, "sh", *words]
    # In this order: the second one starts when the first one's shell and pipes are there.
    return [agent, function]


def _literal(text: str) -> str:
    """Kubernetes puts variables in place of ``$(NAME)`` in commands and environments."""
    return text.replace("$", "$$")


def _container(
    name: str, image: str, style: Style, cpu: tuple[int, int], memory: int, disk: int
) -> Manifest:
    """:param cpu: millicpu it asks for, and may use"""
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": style.pull_policy,
        "securityContext": {
            "privileged": False,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "resources": {
            "requests": {
                "cpu": f"{int(cpu[0] / style.overcommit)}m",
                "memory": str(memory),
                "ephemeral-storage": str(16 * _MIB),
            },
            "limits": {
                "cpu": f"{cpu[1]}m",
                "memory": str(memory),
                "ephemeral-storage": str(disk),
            },
        },
    }


def _agent(style: Style) -> Manifest:
    """What the container has whose first process is the agent."""
    uid = {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.uid"}}
    return {
        "ports": [{"name": "worker", "containerPort": PORT, "protocol": "TCP"}],
        "env": [
            {"name": "FUNCFLOW_POD", "valueFrom": uid},
            {"name": "FUNCFLOW_KEYS", "value": style.keys},
        ],
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
            {"name": "package", "mountPath": "/package"},
        ],
        "readinessProbe": {
            "tcpSocket": {"port": PORT},
            "periodSeconds": 1,
            # A busy node takes its time to look, and what is not ready is not taken over.
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        },
    }


def _volume(name: str, size: int, medium: str = "") -> Manifest:
    return {"name": name, "emptyDir": {"medium": medium, "sizeLimit": str(size)}}
