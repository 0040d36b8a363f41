"""``[secrets]``: the options of what seals secrets; part of :mod:`funcflow.conf`."""

from __future__ import annotations

from oslo_config import cfg

OPTIONS = [
    cfg.ListOpt(
        "key_files",
        default=[],
        help="Files with the keys that seal secrets in the database, 32 bytes in base64 each: the "
        "first one seals, all of them open. Every API and conductor needs them; others may not "
        "read them. Embedded: one is made in data_dir when it is first needed.",
    ),
    cfg.FloatOpt(
        "cache_time",
        default=30.0,
        min=0,
        help="Seconds a conductor remembers a secret that it opened. New values take effect at "
        "once unless the board is away.",
    ),
    cfg.BoolOpt(
        "barbican",
        default=False,
        help="Let secrets be references to Barbican, which is reached as [barbican] and "
        "[secrets_barbican] say.",
    ),
]
