"""The ``once`` source: at one time, and never again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from oslo_config import cfg

from funcflow.triggers import base, schedules


class OnceSource(schedules.Scheduled):
    """``{"at": "2026-01-31T12:00:00Z"}``"""

    @classmethod
    def check(cls, configuration: Mapping[str, Any], conf: cfg.ConfigOpts) -> dict[str, Any]:
        made = schedules.check_common(configuration, frozenset({"at"}), "at")
        if "start_at" in made or "count" in made:
            raise base.BadSource("a source that fires once has neither start_at nor count")
        return {**made, "at": schedules.moment("at", configuration["at"])}

    def times(self, after: float) -> Iterator[float]:
        return iter([self._told["at"]] if self._told["at"] > after else [])
