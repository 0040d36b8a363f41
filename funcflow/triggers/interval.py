"""The ``interval`` source: every so many seconds, counted from its start."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

from oslo_config import cfg

from funcflow.triggers import base, schedules


class IntervalSource(schedules.Scheduled):
    """``{"seconds": 30}``"""

    @classmethod
    def check(cls, configuration: Mapping[str, Any], conf: cfg.ConfigOpts) -> dict[str, Any]:
        made = schedules.check_common(configuration, frozenset({"seconds"}), "seconds")
        seconds = configuration["seconds"]
        if type(seconds) not in (int, float) or not 1 <= seconds <= schedules.FARTHEST:
            raise base.BadSource("seconds is a number from 1 on")
        return {**made, "seconds": seconds}

    def times(self, after: float) -> Iterator[float]:
        every = self._told["seconds"]
        anchor = self._told.get("start_at")
        if anchor is None:
            anchor = self._trigger.created_at + every
        first = max(0, math.floor((after - anchor) / every) + 1)
        return (anchor + every * number for number in itertools.count(first))
