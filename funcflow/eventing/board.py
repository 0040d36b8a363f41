"""The board of partitions: the configured jobboard once more, in a place of its own.

Made by :mod:`funcflow.cmd`. It has one shard per partition, and its members are events processes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from oslo_config import cfg

from funcflow import conf as config
from funcflow import plugins
from funcflow.jobboards import base as board_base

_FOLDER = "events"


def make(conf: cfg.ConfigOpts) -> board_base.Board:
    """Not started yet."""
    folder: Path = config.sub_dir(conf, None, _FOLDER)
    options = {
        "path": f"{conf.jobboard.path.rstrip('/')}/{_FOLDER}",
        "shards": conf.events.partitions,
    }
    apart = _Apart(conf, jobboard=_Apart(conf.jobboard, **options), data_dir=str(folder))
    made: board_base.Board = plugins.load("funcflow.jobboards", conf.jobboard.driver)(apart)
    return made


class _Apart:
    """Options, some of them with other values."""

    def __init__(self, behind: Any, **instead: Any) -> None:
        self._behind = behind
        self._instead = instead

    def __getattr__(self, name: str) -> Any:
        return self._instead[name] if name in self._instead else getattr(self._behind, name)
