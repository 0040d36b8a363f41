"""The options of compositions."""

from __future__ import annotations

from oslo_config import cfg

MIB = 1024 * 1024

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
