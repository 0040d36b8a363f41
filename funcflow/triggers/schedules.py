"""What sources that go by the clock share: when they are due, and what becomes of what they missed.

Used by :mod:`.cron`, :mod:`.interval` and :mod:`.once`. The cursor holds the last time that was
dealt with, so a clock that is set back fires nothing twice, and one that is set forward, or an
outage, leaves missed times, which are caught up with or skipped as the trigger says. Either is
written down as a firing.
"""

from __future__ import annotations

import abc
import datetime
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from funcflow import events
from funcflow.events import Event, Trigger
from funcflow.triggers import base

#: Seconds after its time in which an event is not late.
GRACE: Final = 60.0
#: Times that are caught up with one by one; of more, the oldest are skipped.
MOST: Final = 1000
#: How the misses are dealt with: run each, run the last, or run none.
CATCH_UP: Final = ("all", "latest", "none")
TYPE: Final = "org.openstack.funcflow.timer"
#: Seconds a time of a schedule may be ahead.
FARTHEST: Final = 10 * 366 * 86400.0


class Scheduled(base.Polled):
    """One of them. ``configuration``: start_at, count and catch_up besides its own."""

    #: Names of the fields that every schedule has.
    COMMON: ClassVar[frozenset[str]] = frozenset({"start_at", "count", "catch_up", "data"})

    def __init__(self, trigger: Trigger, tools: base.Tools) -> None:
        self._trigger = trigger
        self._tools = tools
        self._told: Mapping[str, Any] = trigger.source.configuration

    @abc.abstractmethod
    def times(self, after: float) -> Iterator[float]:
        """The times after that one, in order; the start is not yet considered."""

    def next(self, after: float) -> float | None:
        """The first time after that one; None: there is none."""
        start = self._told.get("start_at")
        if start is not None and after < start:
            after = start - 0.001
        return next(self.times(after), None)

    def poll(self, deliver: base.Deliver) -> float | None:
        at, fired = self._cursor()
        now = self._tools.clock()
        due = self._due(at, now, fired)
        run, skipped = self._chosen(due, now)
        if skipped:
            self._skip(skipped)
        for at in run:
            deliver(self._event(at))
            fired += 1
            self._tools.cursor.save({"at": at, "fired": fired})
        if due and not run:
            at = due[-1]
            self._tools.cursor.save({"at": at, "fired": fired})
        count = self._told.get("count")
        return None if count is not None and fired >= count else self.next(at)

    def _chosen(self, due: list[float], now: float) -> tuple[list[float], list[float]]:
        """Which of the times that are due are run, and which are not."""
        late = [at for at in due if now - at > GRACE]
        fresh = due[len(late) :]
        wanted = self._told["catch_up"]
        if wanted == "all" or not late:
            return due, []
        if wanted == "latest" and not fresh:
            return late[-1:], late[:-1]
        return fresh, late

    def close(self) -> None:
        """Nothing is open."""

    def _cursor(self) -> tuple[float, int]:
        known = self._tools.cursor.load()
        if known is None:
            # From when it was made, or made anew, so that it is the same for every process.
            return self._trigger.updated_at or self._trigger.created_at, 0
        return float(known["at"]), int(known["fired"])

    def _due(self, at: float, now: float, fired: int) -> list[float]:
        """The times from the cursor until now, at most so many; of more, the newest."""
        start = self._told.get("start_at")
        after = at if start is None else max(at, start - 0.001)
        due = list(itertools.islice(itertools.takewhile(lambda t: t <= now, self.times(after)),
                                    MOST + 1))  # fmt: skip
        if len(due) > MOST:
            due = self._newest(due, now)
        count = self._told.get("count")
        return due if count is None else due[: max(0, count - fired)]

    def _newest(self, due: list[float], now: float) -> list[float]:
        """After a very long time: skip what nobody will catch up with, without listing it."""
        step = (due[-1] - due[0]) / (len(due) - 1)
        late = max(due[-1], now - step * MOST / 2)
        newest = list(itertools.islice(
            itertools.takewhile(lambda t: t <= now, self.times(late)), MOST))  # fmt: skip
        self._skip([due[0], late])
        return newest

    def _skip(self, missed: list[float]) -> None:
        """Write down that these are not run; the first and the last of them are enough."""
        first, last = events.now_text(missed[0]), events.now_text(missed[-1])
        told = f"missed what was due from {first} to {last}; catch_up is "
        self._tools.skip(self._event(missed[-1]), told + self._told["catch_up"])

    def _event(self, due: float) -> Event:
        text = events.now_text(due)
        return Event(
            id=text,
            source=f"/v1/triggers/{self._trigger.id}",
            type=TYPE,
            subject=self._trigger.name or self._trigger.id,
            time=text,
            datacontenttype="application/json",
            data=self._told.get("data", {}),
        )


def check_common(
    configuration: Mapping[str, Any], own: frozenset[str], required: str | None = None
) -> dict[str, Any]:
    """The fields that every schedule has, with their defaults; ``own``: names of the others.

    :raises funcflow.triggers.base.BadSource: one of them is wrong, or of an unknown name
    """
    if unknown := set(configuration) - own - Scheduled.COMMON:
        known = ", ".join(sorted(own | Scheduled.COMMON))
        raise base.BadSource(f"there is no field {min(unknown)!r}; there are {known}")
    if required is not None and configuration.get(required) is None:
        raise base.BadSource(f"the field {required!r} is missing")
    made: dict[str, Any] = {"catch_up": configuration.get("catch_up", "latest")}
    if made["catch_up"] not in CATCH_UP:
        raise base.BadSource(f"catch_up is one of {', '.join(CATCH_UP)}")
    if (start := configuration.get("start_at")) is not None:
        made["start_at"] = moment("start_at", start)
    if (count := configuration.get("count")) is not None:
        if type(count) is not int or not 1 <= count <= 10**9:
            raise base.BadSource("count is a whole number from 1 on")
        made["count"] = count
    if "data" in configuration:
        made["data"] = configuration["data"]
    return made


def moment(name: str, given: Any) -> float:
    """A time, as text or in seconds since the epoch.

    :raises funcflow.triggers.base.BadSource: it is none, or too far away
    """
    at: float | None = None
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        at = float(given)
    elif isinstance(given, str):
        try:
            parsed = datetime.datetime.fromisoformat(given)
            at = (parsed if parsed.tzinfo else parsed.replace(tzinfo=datetime.UTC)).timestamp()
        except (ValueError, OverflowError):
            at = None
    if at is None or not 0 <= at < 32_503_680_000:  # the year 3000
        raise base.BadSource(f"{name} is a time such as 2026-01-31T12:00:00Z")
    return at
