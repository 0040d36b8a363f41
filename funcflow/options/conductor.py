"""The options of conductors and of their sandboxes."""

from __future__ import annotations

from oslo_config import cfg

MIB = 1024 * 1024

CONDUCTOR = [
    cfg.HostAddressOpt("host", default="127.0.0.1", help="Address of the hand-over endpoint."),
    cfg.PortOpt("port", default=0, help="Its port; 0: any free one."),
    cfg.PortOpt(
        "metrics_port",
        default=0,
        help="Port of a conductor's own /metrics and /readyz, on the same address; 0: none. "
        "Embedded: they are among the API's.",
    ),
    cfg.IntOpt(
        "capacity",
        default=0,
        min=0,
        help="Runs at the same time; 0: 64. The memory of their workers is bounded by [sandbox].",
    ),
    cfg.IntOpt("max_attempts", default=5, min=1, help="Then an execution is dead-lettered."),
    cfg.FloatOpt("backoff", default=0.2, min=0, help="Seconds before the second attempt; doubles."),
    cfg.FloatOpt("max_backoff", default=60.0, min=0, help="Longest back-off in seconds."),
    cfg.FloatOpt(
        "max_age",
        default=6 * 3600.0,
        min=1,
        help="Seconds an execution may wait; then it is dead-lettered as expired.",
    ),
    cfg.FloatOpt(
        "cluster_patience",
        default=600.0,
        min=0,
        help="Seconds an execution is tried while no node of the cluster has room for its worker; "
        "then it is dead-lettered as cluster_full.",
    ),
    cfg.IntOpt("max_queued", default=200_000, min=1, help="Executions waiting, all projects."),
    cfg.IntOpt(
        "max_queued_per_project",
        default=150_000,
        min=1,
        help="Executions waiting, one project.",
    ),
    cfg.FloatOpt("drain", default=30.0, min=0, help="Seconds running calls get on SIGTERM."),
    cfg.FloatOpt("sweep_interval", default=5.0, min=0.1, help="Seconds between sweeps."),
    cfg.DictOpt("weights", default={}, help="project:weight; fair shares, 1 by default."),
]

SANDBOX = [
    cfg.StrOpt("driver", default="process", help="process, kubernetes or memory."),
    cfg.BoolOpt(
        "allow_unprotected",
        default=False,
        help="Run code although this machine lacks a protection. For trusted code only.",
    ),
    cfg.IntOpt("max_workers", default=64, min=1, help="Live workers."),
    cfg.IntOpt(
        "max_memory",
        default=0,
        min=0,
        help="Bytes all workers' limits may add up to. 0: 60 % of the machine's memory.",
    ),
    cfg.IntOpt("max_starting", default=4, min=1, help="Cold starts at the same time."),
    cfg.FloatOpt("idle", default=600.0, min=0, help="Seconds an idle worker is kept."),
    cfg.IntOpt("tmp_size", default=64 * MIB, min=4096, help="Bytes of a worker's /tmp."),
    cfg.IntOpt("max_pids", default=64, min=2, help="Processes and threads in a worker."),
    cfg.IntOpt("log_limit", default=256 * 1024, min=0, help="Bytes of log kept per execution."),
    cfg.IntOpt("result_limit", default=256 * 1024, min=1, help="Bytes of a result."),
    cfg.StrOpt(
        "network",
        default="none",
        help="Network driver for functions that ask for a network: none, or host (shares the "
        "host's own, loopback services included).",
    ),
    cfg.StrOpt("runtimes", help="Folder of the language runtimes. Default: as installed."),
    cfg.StrOpt("python", help="Interpreter of Python functions. Default: the one we run in."),
    cfg.StrOpt("node", default="node", help="Interpreter of Node.js functions."),
]
