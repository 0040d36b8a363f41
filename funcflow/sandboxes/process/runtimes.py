"""Where the language runtimes are; used by the drivers that run them on this machine."""

from __future__ import annotations

import sys
from pathlib import Path

from oslo_config import cfg

import funcflow
from funcflow import errors

_NEEDED = ("python/funcflow_runtime", "agent/funcflow_agent")


def folder(conf: cfg.ConfigOpts) -> Path:
    """As configured, of the checkout, or as installed.

    :raises errors.ConfigError: there is none
    """
    if conf.sandbox.runtimes:
        candidates = [Path(conf.sandbox.runtimes)]
    else:
        candidates = [
            Path(funcflow.__file__).parent.parent / "runtimes",
            Path(sys.prefix) / "share" / "funcflow" / "runtimes",
        ]
    for path in candidates:
        if all((path / part).is_dir() for part in _NEEDED):
            return path.resolve()
    raise errors.ConfigError(f"no language runtimes in {' or '.join(map(str, candidates))}")
