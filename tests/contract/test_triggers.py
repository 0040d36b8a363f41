"""What every trigger driver promises: at least once, acknowledged only when durable."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from funcflow import errors, plugins
from funcflow.triggers.base import Event, Trigger
from tests.waiting import until

Fire = Callable[[Event], None]


@pytest.fixture(params=["memory"])
def trigger(request: pytest.FixtureRequest) -> tuple[Trigger, Fire]:
    """A driver by its entry point, and a way to make its events happen."""
    made = plugins.load("funcflow.triggers", request.param)()
    assert isinstance(made, Trigger)
    return made, made.fire


class Sink:
    """A submit that refuses each event a given number of times."""

    def __init__(self, refusals: int = 0) -> None:
        self.seen: list[Event] = []
        self.durable: list[str] = []
        self._refusals = refusals

    def __call__(self, event: Event) -> str:
        self.seen.append(event)
        if sum(seen == event for seen in self.seen) <= self._refusals:
            raise errors.Unavailable("not now")
        self.durable.append(event.id)
        return f"execution-of-{event.id}"


def serve(trigger: Trigger, sink: Sink) -> tuple[threading.Thread, threading.Event]:
    stop = threading.Event()
    thread = threading.Thread(target=trigger.serve, args=(sink, stop))
    thread.start()
    return thread, stop


def test_events_arrive_once_and_in_order(trigger: tuple[Trigger, Fire]) -> None:
    driver, fire = trigger
    sink = Sink()
    thread, stop = serve(driver, sink)
    for number in range(20):
        fire(Event("test", str(number), "function", "{}"))
    until(lambda: len(sink.durable) == 20, what="20 durable events")
    stop.set()
    thread.join(5)
    assert sink.durable == [str(number) for number in range(20)]
    assert len(sink.seen) == 20


def test_an_event_that_is_not_durable_is_delivered_again(trigger: tuple[Trigger, Fire]) -> None:
    driver, fire = trigger
    sink = Sink(refusals=2)
    thread, stop = serve(driver, sink)
    fire(Event("test", "a", "function"))
    fire(Event("test", "b", "function"))
    until(lambda: sink.durable == ["a", "b"], what="both events to be durable")
    stop.set()
    thread.join(5)
    assert [event.id for event in sink.seen] == ["a"] * 3 + ["b"] * 3


def test_serving_ends_when_told(trigger: tuple[Trigger, Fire]) -> None:
    driver, fire = trigger
    sink = Sink(refusals=10**9)
    thread, stop = serve(driver, sink)
    fire(Event("test", "never", "function"))
    until(lambda: sink.seen, what="the first delivery")
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
