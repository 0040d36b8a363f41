"""The ``cron`` source: at the times of a pattern, in a time zone.

In the hour that a change to summer time leaves out, a job of a certain time runs right after it; in
the hour that comes twice it runs once. Patterns that say every so many minutes or hours go by
real time in both.
"""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Iterator, Mapping
from typing import Any

import cronsim
from oslo_config import cfg

from funcflow.triggers import base, schedules

_OWN = frozenset({"pattern", "timezone", "first_at"})
_WORDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


class CronSource(schedules.Scheduled):
    """``{"pattern": "0 3 * * *", "timezone": "Europe/Berlin"}``; ``first_at``: a time before
    which it does not run and at which it does, whatever the pattern says."""

    @classmethod
    def check(cls, configuration: Mapping[str, Any], conf: cfg.ConfigOpts) -> dict[str, Any]:
        made = schedules.check_common(configuration, _OWN, "pattern")
        pattern, zone = configuration["pattern"], configuration.get("timezone", "UTC")
        if not isinstance(pattern, str) or len(pattern) > 200:
            raise base.BadSource("pattern is a text such as '0 3 * * *'")
        _zone(zone)
        try:
            cronsim.CronSim(_spelled(pattern), datetime.datetime.now(datetime.UTC))
        except cronsim.CronSimError as exc:
            raise base.BadSource(
                f"the pattern {pattern!r} is no cron pattern: {exc}",
                hint="Give minute, hour, day, month and weekday, as in '*/5 8-18 * * mon-fri'.",
            ) from None
        made |= {"pattern": pattern, "timezone": zone}
        if configuration.get("first_at") is not None:
            made["first_at"] = schedules.moment("first_at", configuration["first_at"])
        return made

    def times(self, after: float) -> Iterator[float]:
        zone = _zone(self._told["timezone"])
        first = self._told.get("first_at")
        if first is not None and after < first:
            yield first
            after = first
        start = datetime.datetime.fromtimestamp(after, zone)
        last = after
        for at in cronsim.CronSim(_spelled(self._told["pattern"]), start):
            # What a change of the clocks moved may come to where we are already.
            if at.timestamp() > last:
                last = at.timestamp()
                yield last


def _spelled(pattern: str) -> str:
    return _WORDS.get(pattern.strip().lower(), pattern)


def _zone(name: Any) -> datetime.tzinfo:
    if name == "UTC":
        return datetime.UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise base.BadSource(
            f"there is no time zone {name!r}", hint="Give a name such as Europe/Berlin."
        ) from None
