"""``[registries]``: the options of looking images up; part of :mod:`funcflow.conf`."""

from __future__ import annotations

from oslo_config import cfg

OPTIONS = [
    cfg.BoolOpt(
        "lookup",
        default=True,
        help="Ask an image's registry when a function is made of it: what it runs, so that what "
        "it prints can be read, and the digest, so that a moved tag changes nothing.",
    ),
    cfg.StrOpt(
        "credentials",
        help="File of names and passwords, by registry, as docker login and kubernetes.io/"
        "dockerconfigjson have it. Read at each look-up.",
    ),
    cfg.ListOpt(
        "allow",
        default=[],
        help="Networks in which registries and their token servers may be although they are not "
        "public: 10.1.0.0/16, …",
    ),
    cfg.ListOpt(
        "insecure",
        default=[],
        help="Registries that speak HTTP without TLS, as they are named in images: host:port.",
    ),
    cfg.StrOpt("ca", help="CA certificates that registries may have besides the machine's."),
    cfg.FloatOpt("timeout", default=10.0, min=0.1, help="Seconds of one whole look-up."),
]
