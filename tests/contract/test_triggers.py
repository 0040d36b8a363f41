"""What every driver of the triggers seam promises."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from oslo_config import cfg

from funcflow import conf, errors, events, plugins
from funcflow.events import Event, SourceOf, Target, Trigger
from funcflow.triggers import base, cloud
from funcflow.triggers.memory import MemorySource
from tests.waiting import until

#: A configuration of each type that is right, and some that are not.
RIGHT: dict[str, dict[str, Any]] = {
    "memory": {"channel": "contract"},
    "cron": {"pattern": "0 3 * * *", "timezone": "Europe/Berlin", "count": 3},
    "interval": {"seconds": 30, "start_at": "2027-01-01T00:00:00Z", "data": [1]},
    "once": {"at": "2027-01-01T00:00:00+01:00"},
    "webhook": {},
    "cloudevent": {"types": ["com.example.*"]},
    "execution": {"function_id": "f", "on": "failure"},
    "notification": {"exchanges": ["nova"]},
    "zaqar": {"queue": "orders"},
    "zaqar_subscription": {"queue": "orders"},
    "swift": {"container": "uploads"},
    "aodh": {},
}
WRONG: dict[str, list[dict[str, Any]]] = {
    "memory": [{"channel": 1}, {"pipe": "x"}],
    "cron": [{}, {"pattern": "soon"}, {"pattern": "* * * * *", "at": 1}],
    "interval": [{}, {"seconds": 0}, {"seconds": "30"}],
    "once": [{}, {"at": "soon"}],
    "webhook": [{"signature": "wax"}, {"secret": "x"}],
    "cloudevent": [{"types": "*"}, {"types": []}, {"sources": [""]}, {"x": 1}],
    "execution": [{"on": "monday"}, {"function_id": "f", "composition_id": "c"}, {"x": 1}],
    "notification": [{}, {"exchanges": ["a b"]}, {"exchanges": ["nova"], "topics": ["conductor"]}],
    "zaqar": [{}, {"queue": "a/b"}, {"queue": "orders", "ttl": 1}],
    "zaqar_subscription": [{}, {"queue": "orders", "ttl": 60}],
    "swift": [{}, {"container": "a/b"}, {"container": "a", "changes": ["read"]}],
    "aodh": [{"states": ["down"]}],
}


def settings() -> cfg.ConfigOpts:
    """Of an installation that has all that sources need."""
    made = conf.load(notifications={"transport_url": "rabbit://broker"})
    cloud.register(made)
    made.set_override("auth_type", "password", group=cloud.GROUP)
    return made


@pytest.fixture(params=sorted(RIGHT))
def driver(request: pytest.FixtureRequest) -> Any:
    """A driver by its entry point, and the name of that."""
    return plugins.load("funcflow.triggers", request.param), request.param


def trigger(type_: str, configuration: dict[str, Any]) -> Trigger:
    return Trigger(
        id="00000000-0000-7000-8000-000000000001",
        project_id="p",
        source=SourceOf(type_, configuration),
        target=Target(kind="function", id="f"),
        created_at=time.time(),
    )


def test_what_is_checked_can_be_checked_again(driver: Any) -> None:
    made, name = driver
    assert made.kind in ("pushed", "polled", "stream")
    checked = made.check(RIGHT[name], settings())
    assert made.check(checked, settings()) == checked
    assert made.hidden <= set(checked) or not made.hidden


def test_it_is_of_the_kind_it_says(driver: Any) -> None:
    made, name = driver
    has = settings()
    checked = made.check(RIGHT[name], has)
    tools = base.Tools(has, None, None, lambda event, reason: None)  # type: ignore[arg-type]
    kinds = {"pushed": base.Pushed, "polled": base.Polled, "stream": base.Stream}
    opened = made(trigger(name, checked), tools)
    try:
        assert [kind for kind, known in kinds.items() if isinstance(opened, known)] == [made.kind]
    finally:
        opened.close()


def test_a_wrong_configuration_is_refused_in_words(driver: Any) -> None:
    made, name = driver
    for configuration in WRONG[name]:
        with pytest.raises(base.BadSource) as caught:
            made.check(configuration, settings())
        assert caught.value.hint


class Sink:
    """A deliver that refuses each event a given number of times."""

    def __init__(self, refusals: int = 0) -> None:
        self.seen: list[Event] = []
        self.durable: list[str] = []
        self._refusals = refusals

    def __call__(self, event: Event) -> None:
        self.seen.append(event)
        if sum(seen.id == event.id for seen in self.seen) <= self._refusals:
            raise errors.Unavailable("not now")
        self.durable.append(event.id)


class Serving:
    """A memory source being served."""

    def __init__(self, sink: Sink, channel: str) -> None:
        checked = MemorySource.check({"channel": channel}, settings())
        self.queue = MemorySource.channel(channel)
        made = MemorySource(trigger("memory", checked), None)  # type: ignore[arg-type]
        self.stop = threading.Event()
        self.thread = threading.Thread(target=made.serve, args=(sink, self.stop))
        self.thread.start()

    def fire(self, number: object) -> None:
        self.queue.put(Event(id=str(number), source="test", type="t"))

    def end(self) -> None:
        self.stop.set()
        self.thread.join(5)
        assert not self.thread.is_alive()


def test_events_of_a_stream_arrive_once_and_in_order() -> None:
    sink = Sink()
    serving = Serving(sink, "order")
    for number in range(20):
        serving.fire(number)
    until(lambda: len(sink.durable) == 20, what="20 durable events")
    serving.end()
    assert sink.durable == [str(number) for number in range(20)]
    assert len(sink.seen) == 20


def test_an_event_that_is_not_durable_is_delivered_again() -> None:
    sink = Sink(refusals=2)
    serving = Serving(sink, "again")
    serving.fire("a")
    serving.fire("b")
    until(lambda: sink.durable == ["a", "b"], what="both events to be durable")
    serving.end()
    assert [event.id for event in sink.seen] == ["a"] * 3 + ["b"] * 3


def test_serving_ends_when_told() -> None:
    sink = Sink(refusals=10**9)
    serving = Serving(sink, "end")
    serving.fire("never")
    until(lambda: sink.seen, what="the first delivery")
    serving.end()


def test_an_envelope_says_the_same_on_its_way_back() -> None:
    told = Event(
        id="1", source="/a", type="t", subject="s", time="2026-01-31T12:00:00Z",
        datacontenttype="application/json", data={"a": [1, None]}, extensions={"funcflowdepth": 2},
    )  # fmt: skip
    assert events.from_envelope(told.envelope()) == told
    assert told.depth == 2
    raw = Event(id="1", source="/a", type="t", data=b"\x00\xff")
    assert events.from_envelope(raw.envelope()) == raw
