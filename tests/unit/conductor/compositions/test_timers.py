"""Timers on a clock that somebody sets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from funcflow.conductor.compositions.timers import Timers
from tests.waiting import until


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timers(clock: Clock) -> Iterator[Timers]:
    made = Timers(clock)
    yield made
    made.stop()


def test_they_fire_in_order_when_their_time_has_come(timers: Timers, clock: Clock) -> None:
    fired: list[str] = []
    for name, due in (("late", 1030.0), ("soon", 1010.0), ("later", 1020.0)):
        timers.set(name, due, lambda name=name: fired.append(name))  # type: ignore[misc]
    assert fired == []
    clock.now = 1025
    until(lambda: len(fired) == 2, what="two to fire")
    assert fired == ["soon", "later"]
    clock.now = 900
    timers.set("past", 800, lambda: fired.append("past"))
    until(lambda: "past" in fired, what="what is due at once")
    assert "late" not in fired, "the clock went back"
    clock.now = 2000
    until(lambda: "late" in fired, what="the last one")


def test_cancelled_ones_do_not_fire_and_set_ones_replace(timers: Timers, clock: Clock) -> None:
    fired: list[str] = []
    timers.set("a", 1010, lambda: fired.append("first"))
    timers.set("a", 1020, lambda: fired.append("second"))
    for number in range(1000):
        timers.set(number, 1010, lambda: fired.append("cancelled"))
        timers.cancel(number)
    timers.set("end", 1030, lambda: fired.append("end"))
    clock.now = 1030
    until(lambda: "end" in fired, what="the last one")
    assert fired == ["second", "end"]


def test_one_that_breaks_stops_no_other(timers: Timers, clock: Clock) -> None:
    fired: list[str] = []

    def broken() -> None:
        raise RuntimeError("broken")

    timers.set("broken", 1001, broken)
    timers.set("sound", 1002, lambda: fired.append("sound"))
    clock.now = 1010
    until(lambda: fired, what="the other one")
