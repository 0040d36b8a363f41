"""Every configuration option, in one place.

``load`` makes a fresh ConfigOpts that is passed in where it is needed; there is no global
``CONF``. ``oslo-config-generator --namespace funcflow`` writes the sample from ``list_opts``.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from oslo_config import cfg

from funcflow import (
    errors,
    options_callbacks,
    options_events,
    options_kubernetes,
    options_limits,
    options_secrets,
    options_sources,
    options_swift,
    options_trusts,
)

MIB = 1024 * 1024

DEFAULT = [
    cfg.StrOpt(
        "data_dir",
        default="~/.local/share/funcflow",
        help="Folder for everything an embedded funcflow keeps: database, board, packages.",
    ),
    cfg.StrOpt(
        "secret",
        secret=True,
        help="Shared by all funcflow processes of one installation; their connections prove "
        "it to each other. Embedded: made at first start and kept in data_dir.",
    ),
]

API = [
    cfg.HostAddressOpt("host", default="127.0.0.1", help="Address to listen on."),
    cfg.PortOpt("port", default=7070, help="Port to listen on."),
    cfg.StrOpt("auth", default="none", help="Auth driver. `none` listens on loopback only."),
    cfg.IntOpt("threads", default=48, min=4, help="Request threads (embedded server)."),
    cfg.FloatOpt(
        "sync_wait",
        default=60.0,
        min=0.1,
        help="Seconds a synchronous call waits before it turns into 202.",
    ),
    cfg.IntOpt(
        "max_waiting",
        default=32,
        min=1,
        help="Synchronous calls and log followers that may wait at the same time in one "
        "process; further ones get 429. Keep it below the number of threads.",
    ),
    cfg.IntOpt("max_package", default=50 * MIB, min=1, help="Bytes of a package zip."),
    cfg.ListOpt(
        "image_functions",
        default=[],
        help="Container images that functions may be made of, by name; * stands for anything, "
        "as in registry.example.org/functions/*. None by default: they need a sandbox that "
        "runs images (kubernetes).",
    ),
    cfg.IntOpt("max_input", default=256 * 1024, min=1, help="Bytes of an execution's input."),
    cfg.IntOpt(
        "max_page",
        default=1000,
        min=1,
        help="Rows a list answers at most, and by default.",
    ),
]

AUDIT = [
    cfg.BoolOpt(
        "enabled",
        default=False,
        help="Send a CADF event before and after each operation; where to is said in "
        "[audit_middleware_notifications] and [oslo_messaging_notifications].",
    ),
    cfg.StrOpt("map_file", help="How paths read in events. Default: as delivered."),
    cfg.ListOpt("ignore_methods", default=[], help="Methods not audited, such as GET, HEAD."),
]

DATABASE = [
    cfg.StrOpt(
        "url",
        secret=True,
        help="SQLAlchemy URL, such as postgresql+psycopg://user:secret@host/funcflow. "
        "Default: SQLite in data_dir.",
    ),
    cfg.IntOpt("read_connections", default=10, min=1, help="Connections for reading."),
    cfg.FloatOpt(
        "retention",
        default=7 * 86400.0,
        min=0,
        help="Seconds a settled execution is kept. 0: for ever.",
    ),
]

STORE = [
    cfg.StrOpt(
        "driver",
        help="Where packages are kept: filesystem or swift. Default: swift if [swift] says how to "
        "log in, else filesystem.",
    ),
    cfg.StrOpt("path", help="Folder of the filesystem store. Default: data_dir/packages."),
    cfg.StrOpt("cache", help="Unpacked packages. Default: data_dir/cache."),
    cfg.IntOpt("cache_size", default=2048 * MIB, min=1, help="Bytes of unpacked packages."),
]

JOBBOARD = [
    cfg.StrOpt("driver", default="embedded", help="zookeeper or embedded."),
    cfg.StrOpt("hosts", default="127.0.0.1:2181", help="ZooKeeper servers, comma separated."),
    cfg.StrOpt("path", default="/funcflow", help="Parent of all znodes."),
    cfg.IntOpt("shards", default=8, min=1, max=256, help="Never change it on a live board."),
    cfg.FloatOpt("session_timeout", default=10.0, min=1.0, help="Seconds."),
    cfg.IntOpt(
        "window",
        default=1000,
        min=1,
        help="Jobs a shard holds at most; more wait as rows in the database.",
    ),
    cfg.StrOpt("sasl_username", help="SASL (DIGEST-MD5) user."),
    cfg.StrOpt("sasl_password", secret=True, help="Its password."),
    cfg.StrOpt("digest", secret=True, help="user:password of a digest ACL on all znodes."),
    cfg.BoolOpt("tls", default=False, help="Speak TLS to ZooKeeper."),
    cfg.StrOpt("tls_ca", help="CA file."),
    cfg.StrOpt("tls_cert", help="Client certificate file."),
    cfg.StrOpt("tls_key", secret=True, help="Client key file."),
]

CONDUCTOR = [
    cfg.HostAddressOpt("host", default="127.0.0.1", help="Address of the hand-over endpoint."),
    cfg.PortOpt("port", default=0, help="Its port; 0: any free one."),
    cfg.PortOpt(
        "metrics_port",
        default=0,
        help="Port of a conductor's own /metrics, on the same address; 0: none. Embedded: they "
        "are among the API's.",
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

COMPOSITIONS = [
    cfg.IntOpt(
        "held",
        default=1000,
        min=1,
        help="Executions of compositions one conductor holds in memory at the same time. Those "
        "that only wait are parked in the database and do not count.",
    ),
    cfg.IntOpt(
        "payload_limit",
        default=256 * 1024,
        min=1024,
        help="Bytes of one input, output or result of a state.",
    ),
    cfg.IntOpt(
        "inline_limit",
        default=256 * 1024,
        min=1024,
        help="Bytes of a text kept in the database; longer ones go to the store.",
    ),
    cfg.FloatOpt(
        "park_after",
        default=5.0,
        min=0.0,
        help="Seconds an execution must have to wait at least to be parked.",
    ),
    cfg.IntOpt(
        "max_depth",
        default=32,
        min=1,
        help="Executions that may be nested in each other.",
    ),
    cfg.StrOpt("buckets", default="filesystem", help="Where ItemReader and ResultWriter work."),
    cfg.StrOpt("buckets_path", help="Folder of the filesystem buckets. Default: data_dir/buckets."),
    cfg.IntOpt(
        "items_limit",
        default=64 * MIB,
        min=1024,
        help="Bytes of the items that one ItemReader may read.",
    ),
    cfg.FloatOpt(
        "http_timeout", default=60.0, min=0.1, help="Seconds of one HTTP call, redirects included."
    ),
    cfg.ListOpt(
        "http_allow",
        default=[],
        help="Networks that HTTP tasks may reach although they are not public: 10.1.0.0/16, …",
    ),
    cfg.ListOpt(
        "http_deny",
        default=[],
        help="Networks that HTTP tasks may not reach although they are public.",
    ),
    cfg.StrOpt("http_ca", help="CA certificates that HTTP tasks trust besides the machine's."),
]

GROUPS: dict[str, Any] = {
    "DEFAULT": DEFAULT,
    "api": API,
    "audit": AUDIT,
    "database": DATABASE,
    "store": STORE,
    "jobboard": JOBBOARD,
    "conductor": CONDUCTOR,
    "sandbox": SANDBOX,
    "compositions": COMPOSITIONS,
    "events": options_events.OPTIONS,
    "kubernetes": options_kubernetes.OPTIONS,
    "callbacks": options_callbacks.CALLBACKS,
    "mistral": options_callbacks.MISTRAL,
    "swift": options_swift.OPTIONS,
    "limits": options_limits.LIMITS,
    "quotas": options_limits.QUOTAS,
    "secrets": options_secrets.OPTIONS,
    "trusts": options_trusts.OPTIONS,
    "notifications": options_sources.NOTIFICATIONS,
    "openstack": options_sources.OPENSTACK,
}


def list_opts() -> list[tuple[str, Any]]:
    """For oslo-config-generator."""
    return list(GROUPS.items())


def load(config_files: Sequence[str | Path] = (), **overrides: dict[str, object]) -> cfg.ConfigOpts:
    """A configuration from files, then ``group={option: value}`` overrides on top.

    ``DEFAULT`` options go by ``default={…}``.

    :raises errors.ConfigError: a file is missing or cannot be understood
    """
    conf = cfg.ConfigOpts()
    for group, opts in GROUPS.items():
        conf.register_opts(opts, group=None if group == "DEFAULT" else group)
    files = [str(path) for path in config_files]
    try:
        conf([], project="funcflow", default_config_files=files)
        for group, values in overrides.items():
            for name, value in values.items():
                conf.set_override(name, value, group=None if group == "default" else group)
        _read_all(conf)
    except (cfg.Error, ValueError) as exc:
        raise errors.ConfigError(str(exc)) from exc
    return conf


def _read_all(conf: cfg.ConfigOpts) -> None:
    """Values are looked at when they are read; a wrong one is to be told at once."""
    for group, opts in GROUPS.items():
        place = conf if group == "DEFAULT" else conf[group]
        for opt in opts:
            place[opt.dest]


def data_dir(conf: cfg.ConfigOpts) -> Path:
    """The data folder, made if need be, readable by its owner alone.

    :raises errors.ConfigError: it cannot be made
    """
    return _made(conf.data_dir, "Choose another one with --data-dir or [DEFAULT] data_dir.")


def secret(conf: cfg.ConfigOpts) -> str:
    """The installation's secret; made and kept in the data folder unless configured."""
    if conf.secret:
        return str(conf.secret)
    path: Path = data_dir(conf) / "secret"
    try:
        with open(path, "x", opener=_private) as file:
            file.write(secrets.token_urlsafe(32))
    except FileExistsError:
        pass  # Made at an earlier start.
    return path.read_text()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def database_url(conf: cfg.ConfigOpts) -> str:
    """The database's URL; SQLite in the data folder by default."""
    return conf.database.url or f"sqlite:///{data_dir(conf)}/funcflow.db"


def sub_dir(conf: cfg.ConfigOpts, configured: str | None, default: str) -> Path:
    """A configured folder or one in the data folder; made if need be.

    :raises errors.ConfigError: it cannot be made
    """
    hint = f"Choose another one for {default}, or allow this user to write there."
    return _made(configured or data_dir(conf) / default, hint)


def absolute(path: str | Path) -> Path:
    """Good for every process, whatever folder it works in."""
    return Path(path).expanduser().absolute()


def _made(configured: str | Path, hint: str) -> Path:
    path = absolute(configured)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise errors.ConfigError(
            f"the folder {path} cannot be made: {exc.strerror}", hint=hint
        ) from exc
    return path
