"""Sources that go by the clock: time zones, changes of clocks, what was missed, kill points."""

from __future__ import annotations

import datetime
import itertools
import zoneinfo
from typing import Any

import pytest

from funcflow import conf, errors
from funcflow.events import Event, SourceOf, Target, Trigger
from funcflow.triggers import base
from funcflow.triggers.cron import CronSource
from funcflow.triggers.interval import IntervalSource
from funcflow.triggers.once import OnceSource
from funcflow.triggers.schedules import Scheduled

HOUR = 3600.0
CONF = conf.load()


def utc(text: str) -> float:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC).timestamp()


class World:
    """A clock, a cursor that survives crashes, and what was delivered and skipped."""

    def __init__(self, driver: type[Scheduled], start: str, **configuration: Any) -> None:
        self.now = utc(start)
        self.cursor: Any = None
        self.delivered: list[str] = []
        self.skipped: list[str] = []
        self.refuse = False
        #: Deliveries and saves until the process is killed; None: never.
        self.steps: int | None = None
        checked = driver.check(configuration, CONF)
        self._driver = driver
        self._trigger = Trigger(
            id="t", project_id="p", source=SourceOf("x", checked),
            target=Target(kind="function", id="f"), created_at=self.now,
        )  # fmt: skip

    def load(self) -> Any:
        return self.cursor

    def save(self, value: Any) -> None:
        self._step()
        self.cursor = value

    def poll(self) -> float | None:
        """By a process of its own each time."""
        tools = base.Tools(CONF, None, self, self._skip, lambda: self.now)  # type: ignore[arg-type]
        return self._driver(self._trigger, tools).poll(self._deliver)

    def at(self, text: str) -> float | None:
        self.now = utc(text)
        return self.poll()

    def _deliver(self, event: Event) -> None:
        if self.refuse:
            raise errors.Unavailable("not now")
        self._step()
        # What comes again is the same event: it is executed once.
        if event.id not in self.delivered:
            self.delivered.append(event.id)

    def _skip(self, event: Event, reason: str) -> None:
        self.skipped.append(event.id)

    def _step(self) -> None:
        if self.steps is not None:
            self.steps -= 1
            if self.steps < 0:
                raise KeyboardInterrupt


def local(texts: list[str], zone: str) -> list[str]:
    at = zoneinfo.ZoneInfo(zone)
    return [datetime.datetime.fromisoformat(t).astimezone(at).strftime("%d %H:%M") for t in texts]


def walk(world: World, until: str, step: float = 900.0) -> list[str]:
    """What a clock that runs evenly delivers."""
    end = utc(until)
    while world.now < end:
        world.now += step
        world.poll()
    return world.delivered


def test_summer_time_begins() -> None:
    """02:30 is not there on March 28: it runs once, right after the gap."""
    world = World(CronSource, "2027-03-27T00:00", pattern="30 2 * * *", timezone="Europe/Berlin")
    assert local(walk(world, "2027-03-29T12:00"), "Europe/Berlin") == ["27 02:30", "28 03:00", "29 02:30"]  # noqa: E501  # fmt: skip


def test_summer_time_ends() -> None:
    """02:30 is there twice on October 31: it runs once."""
    world = World(CronSource, "2027-10-30T00:00", pattern="30 2 * * *", timezone="Europe/Berlin")
    assert local(walk(world, "2027-11-01T12:00"), "Europe/Berlin") == ["30 02:30", "31 02:30", "01 02:30"]  # noqa: E501  # fmt: skip


@pytest.mark.parametrize(("start", "hours"), [("2027-03-27T22:00", 6), ("2027-10-30T22:00", 6)])
def test_every_half_hour_goes_by_real_time_whatever_the_clocks_do(start: str, hours: int) -> None:
    world = World(CronSource, start, pattern="*/30 * * * *", timezone="Europe/Berlin")
    end = datetime.datetime.fromtimestamp(world.now + hours * HOUR, datetime.UTC)
    times = [utc(t.removesuffix("Z")) for t in walk(world, end.strftime("%Y-%m-%dT%H:%M"))]
    assert len(times) == 2 * hours
    assert {b - a for a, b in itertools.pairwise(times)} == {1800.0}


def test_the_wall_clock_is_set_back_and_forth() -> None:
    world = World(CronSource, "2027-01-01T00:30", pattern="0 * * * *")
    assert world.at("2027-01-01T01:00:05") == utc("2027-01-01T02:00")
    assert len(world.delivered) == 1
    assert world.at("2027-01-01T00:00:05") == utc("2027-01-01T02:00")
    assert world.at("2027-01-01T01:00:10") == utc("2027-01-01T02:00")
    assert len(world.delivered) == 1, "an hour back: nothing runs twice"
    world.at("2027-01-01T03:00:05")
    assert world.delivered[-1] == "2027-01-01T03:00:00Z"
    assert world.skipped == ["2027-01-01T02:00:00Z"], "an hour ahead: what is skipped is said"
    world.at("2027-01-01T02:30:00")
    world.at("2027-01-01T03:30:00")
    assert len(world.delivered) == 2


@pytest.mark.parametrize(
    ("catch_up", "delivered", "skipped"),
    [("all", [1, 2, 3, 4], []), ("latest", [4], [3]), ("none", [], [4])],
)
def test_after_an_outage(catch_up: str, delivered: list[int], skipped: list[int]) -> None:
    world = World(CronSource, "2027-01-01T00:30", pattern="0 * * * *", catch_up=catch_up)
    assert world.at("2027-01-01T04:30") == utc("2027-01-01T05:00")
    assert world.delivered == [f"2027-01-01T0{hour}:00:00Z" for hour in delivered]
    assert world.skipped == [f"2027-01-01T0{hour}:00:00Z" for hour in skipped]
    world.poll()
    assert len(world.delivered) == len(delivered), "it is dealt with once"


def test_what_is_only_a_little_late_always_runs() -> None:
    world = World(CronSource, "2027-01-01T00:30", pattern="* * * * *", catch_up="none")
    world.at("2027-01-01T00:31:40")
    assert world.delivered == ["2027-01-01T00:31:00Z"]


def test_a_very_long_outage_is_neither_listed_nor_run_in_full() -> None:
    world = World(CronSource, "2020-01-01T00:00", pattern="* * * * *", catch_up="all")
    world.at("2027-01-01T00:00:30")
    assert len(world.delivered) <= 1000
    assert world.delivered[-1] == "2027-01-01T00:00:00Z"
    assert len(world.skipped) == 1


@pytest.mark.parametrize("steps", range(9))
def test_killed_anywhere_nothing_is_lost_and_nothing_runs_twice(steps: int) -> None:
    """At every delivery and every save of the cursor."""
    world = World(CronSource, "2027-01-01T00:30", pattern="0 * * * *", catch_up="all", count=4)
    world.now = utc("2027-01-01T05:30")
    world.steps = steps
    with pytest.raises(KeyboardInterrupt) if steps < 8 else pytest.MonkeyPatch.context():
        world.poll()
    world.steps = None
    assert world.poll() is None
    assert world.delivered == [f"2027-01-01T0{hour}:00:00Z" for hour in (1, 2, 3, 4)]


def test_a_refused_event_is_delivered_again() -> None:
    world = World(IntervalSource, "2027-01-01T00:00", seconds=60)
    world.refuse = True
    with pytest.raises(errors.Unavailable):
        world.at("2027-01-01T00:01:01")
    world.refuse = False
    world.poll()
    assert world.delivered == ["2027-01-01T00:01:00Z"]


def test_counts_and_starts() -> None:
    world = World(IntervalSource, "2027-01-01T00:00", seconds=60, count=2,
                  start_at="2027-01-01T01:00:00Z")  # fmt: skip
    assert world.poll() == utc("2027-01-01T01:00")
    assert world.at("2027-01-01T01:00:01") == utc("2027-01-01T01:01")
    assert world.at("2027-01-01T01:01:01") is None
    first = World(CronSource, "2027-01-01T00:00", pattern="0 0 * * *", first_at="2027-01-02T13:13")
    assert first.poll() == utc("2027-01-02T13:13")
    assert first.at("2027-01-02T13:13:01") == utc("2027-01-03T00:00")


def test_once() -> None:
    world = World(OnceSource, "2027-01-01T00:00", at="2027-01-01T06:00:00+01:00")
    assert world.poll() == utc("2027-01-01T05:00")
    assert world.at("2027-01-01T05:00:01") is None
    assert world.delivered == ["2027-01-01T05:00:00Z"]
    assert world.poll() is None
    assert len(world.delivered) == 1


@pytest.mark.parametrize(
    ("driver", "configuration"),
    [
        (CronSource, {}), (CronSource, {"pattern": "every day"}), (CronSource, {"pattern": 7}),
        (CronSource, {"pattern": "0 0 31 2 *"}),
        (CronSource, {"pattern": "* * * * *", "timezone": "Mars/Phobos"}),
        (CronSource, {"pattern": "* * * * *", "timezone": "../../etc/passwd"}),
        (CronSource, {"pattern": "* * * * *", "catch_up": "some"}),
        (CronSource, {"pattern": "* * * * *", "count": 0}),
        (CronSource, {"pattern": "* * * * *", "zone": "UTC"}),
        (IntervalSource, {"seconds": 0}), (IntervalSource, {"seconds": True}),
        (OnceSource, {"at": "tomorrow"}), (OnceSource, {"at": "2027-01-01", "count": 2}),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused(driver: Any, configuration: dict[str, Any]) -> None:
    with pytest.raises(base.BadSource):
        driver.check(configuration, conf.load())
