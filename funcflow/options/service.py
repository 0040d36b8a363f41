"""What every process needs, and what the API does: folders, database, store, board."""

from __future__ import annotations

from oslo_config import cfg

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
