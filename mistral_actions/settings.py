"""The section ``[funcflow]`` of Mistral's configuration, read when an action runs."""

from __future__ import annotations

from typing import Any

from oslo_config import cfg

GROUP = "funcflow"
OPTIONS = [
    cfg.URIOpt(
        "url",
        schemes=["http", "https"],
        help="Where funcflow's API is. Default: what the service catalog of the workflow's token "
        "says of function-engine.",
    ),
    cfg.StrOpt("ca", help="File of CA certificates to trust. Default: those of requests."),
    cfg.StrOpt("interface", default="internal", help="Of the catalog's endpoints, if it is there."),
    cfg.FloatOpt("timeout", default=30.0, min=0.1, help="Seconds one request may take."),
    cfg.FloatOpt(
        "patience",
        default=60.0,
        min=0,
        help="Seconds a request is tried while funcflow does not answer, or is busy.",
    ),
]


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """For oslo-config-generator."""
    return [(GROUP, OPTIONS)]


def read() -> Any:
    """The section of the process's configuration, which Mistral has loaded."""
    # NOTE: plug-ins of Mistral have no other way to its configuration than the global one.
    cfg.CONF.register_opts(OPTIONS, group=GROUP)
    return cfg.CONF[GROUP]
