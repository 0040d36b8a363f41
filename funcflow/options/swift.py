"""The options of Swift that are ours; registered by :mod:`funcflow.conf` like all others.

How to log in and where Swift is are keystoneauth's own options in the same section; see
:mod:`funcflow.swift.service`.
"""

from __future__ import annotations

from pathlib import Path

from oslo_config import cfg

MIB = 1024 * 1024

OPTIONS = [
    cfg.StrOpt(
        "container",
        default="funcflow",
        help="Container of packages and large payloads, in the account of the service's project. "
        "Segments of large ones are in another one, named with -segments after it.",
    ),
    cfg.BoolOpt(
        "per_project",
        default=False,
        help="Keep packages in a container of the project that deployed them, named with its id "
        "after that name; the one container has links to them then.",
    ),
    cfg.IntOpt(
        "segment_size",
        default=32 * MIB,
        min=MIB,
        help="Bytes of a segment; what is larger is kept as a static large object.",
    ),
    cfg.FloatOpt(
        "connect_timeout", default=3.0, min=0.1, help="Seconds until a connection must be there."
    ),
    cfg.FloatOpt(
        "read_timeout",
        default=10.0,
        min=0.1,
        help="Seconds that Swift may be silent within an answer.",
    ),
    cfg.IntOpt(
        "min_rate",
        default=64 * 1024,
        min=1,
        help="Bytes a second: a transfer that is slower over the whole is given up.",
    ),
    cfg.IntOpt("retries", default=2, min=0, help="Times that a failed request is tried again."),
    cfg.StrOpt("cache", help="Copies of what was fetched. Default: data_dir/swift-cache."),
    cfg.IntOpt("cache_size", default=1024 * MIB, min=0, help="Bytes of these copies."),
]

#: Of keystoneauth's options those of which one at least is needed.
_LOGIN = ("auth_type", "auth_section", "endpoint_override")


def wanted(conf: cfg.ConfigOpts) -> bool:
    """Whether the configuration files say how to reach Swift.

    Looked up in the files, because keystoneauth, which has these options, takes long to load.
    """
    folders = [Path(folder) for folder in conf.default_config_dirs]
    files = [path for folder in folders for path in sorted(folder.glob("*.conf"))]
    sections: dict[str, dict[str, list[str]]] = {}
    for file in (*conf.default_config_files, *files):
        cfg.ConfigParser(str(file), sections).parse()
    return any(name in sections.get("swift", {}) for name in _LOGIN)
