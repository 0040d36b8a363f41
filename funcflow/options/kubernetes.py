"""The options of the Kubernetes sandbox; registered by :mod:`funcflow.conf` like all others."""

from __future__ import annotations

from oslo_config import cfg

MIB = 1024 * 1024

OPTIONS = [
    cfg.StrOpt(
        "kubeconfig",
        help="File that says how to reach the cluster. Default: the service account of the pod "
        "funcflow runs in, else $KUBECONFIG, else ~/.kube/config.",
    ),
    cfg.StrOpt(
        "installation",
        default="funcflow",
        help="Tells the installations that share a cluster apart.",
    ),
    cfg.StrOpt(
        "identity",
        help="Name of this conductor that survives its restarts, such as its StatefulSet pod's. "
        "Default: the host's name and a number.",
    ),
    cfg.StrOpt(
        "namespace",
        default="funcflow",
        help="Namespace of the leases, of conductors, and of workers that have no other.",
    ),
    cfg.BoolOpt(
        "project_namespaces",
        default=True,
        help="Each project's workers live in a namespace of their own, NAMESPACE-PROJECT.",
    ),
    cfg.DictOpt(
        "project_quota",
        default={"pods": "100"},
        help="ResourceQuota of a project's namespace, such as pods:100,limits.memory:32Gi.",
    ),
    cfg.DictOpt(
        "images",
        default={},
        help="language:image; instead of what the runtime says.",
    ),
    cfg.StrOpt(
        "agent_image",
        default="registry.local/funcflow/agent:1",
        help="Image of the agent that stands beside the container of an image function.",
    ),
    cfg.StrOpt("pull_policy", default="IfNotPresent", help="imagePullPolicy of workers."),
    cfg.ListOpt("pull_secrets", default=[], help="imagePullSecrets of workers."),
    cfg.DictOpt(
        "runtime_classes",
        default={},
        help="language:RuntimeClass; for runtimes that run under gVisor, Kata and the like.",
    ),
    cfg.BoolOpt(
        "trust_images",
        default=True,
        help="Run image functions as functions of a trusted runtime are. No: they need "
        "untrusted_class.",
    ),
    cfg.StrOpt(
        "untrusted_class",
        help="RuntimeClass of functions of runtimes that are not trusted. None: such functions "
        "are refused.",
    ),
    cfg.ListOpt(
        "conductor_networks",
        default=[],
        help="CIDRs from which conductors reach workers, for conductors outside the cluster.",
    ),
    cfg.ListOpt(
        "egress",
        default=[],
        help="CIDRs that functions which ask for a network may reach. Empty: none.",
    ),
    cfg.ListOpt(
        "egress_except",
        default=["169.254.0.0/16", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
        help="CIDRs they may not reach all the same: metadata services, the cluster itself.",
    ),
    cfg.IntOpt("pool_min", default=1, min=0, help="Warm pods of a kind that is in use, at least."),
    cfg.IntOpt("pool_max", default=10, min=0, help="Warm pods of one kind at most. 0: no pools."),
    cfg.FloatOpt(
        "pool_idle", default=900.0, min=1, help="Seconds after which an unused pool is emptied."
    ),
    cfg.FloatOpt("start_timeout", default=60.0, min=1, help="Seconds a pod may take to be ready."),
    cfg.IntOpt(
        "cpu_burst",
        default=1000,
        min=0,
        help="Millicpu a worker may use where nobody else needs them; what its function asks for "
        "is its share. 0: no more than that.",
    ),
    cfg.FloatOpt(
        "overcommit",
        default=1.0,
        min=1.0,
        help="Workers ask the scheduler for this fraction (1/n) of their function's CPU: most wait "
        "for calls most of the time.",
    ),
    cfg.IntOpt("package_size", default=256 * MIB, min=4096, help="Bytes of an unpacked package."),
    cfg.DictOpt("node_selector", default={}, help="Labels of nodes that workers run on."),
    cfg.StrOpt("priority_class", help="PriorityClass of workers."),
    cfg.FloatOpt(
        "lease",
        default=15.0,
        min=3.0,
        help="Seconds after which a conductor that no longer renews its lease counts as dead.",
    ),
]
