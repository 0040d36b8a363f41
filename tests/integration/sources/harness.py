"""A source that is served as the events process does, with a deliver of the test's own."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from oslo_config import cfg

from funcflow import errors, plugins
from funcflow.events import Event, SourceOf, Target, Trigger
from funcflow.triggers import base
from tests import waiting

T = TypeVar("T")


def until(predicate: Callable[[], T], timeout: float = 60.0, what: str = "the condition") -> T:
    """As :func:`tests.waiting.until`, with the patience that several servers need together."""
    return waiting.until(predicate, timeout, what)


class Cursor:
    """Kept by the test, over several lives of the source."""

    def __init__(self) -> None:
        self.value: Any = None

    def load(self) -> Any:
        return self.value

    def save(self, value: Any) -> None:
        self.value = value


class Sink:
    """Takes events, unless told otherwise; ``refuse`` is called before each of them."""

    def __init__(self, refuse: Callable[[Event], None] = lambda event: None) -> None:
        self.refuse = refuse
        self.tried: list[Event] = []
        self.taken: list[Event] = []
        self.skipped: list[tuple[Event, str]] = []

    def __call__(self, event: Event) -> None:
        self.tried.append(event)
        self.refuse(event)
        self.taken.append(event)

    def skip(self, event: Event, reason: str) -> None:
        self.skipped.append((event, reason))

    @property
    def ids(self) -> list[str]:
        return [event.id for event in self.taken]


def times(number: int, exc: errors.FuncflowError) -> Callable[[Event], None]:
    """Raises the error so many times for each event, then no more."""
    left: dict[str, int] = {}

    def refuse(event: Event) -> None:
        left[event.id] = left.get(event.id, number) - 1
        if left[event.id] >= 0:
            raise exc

    return refuse


def trigger(
    type_: str, configuration: dict[str, Any], conf: cfg.ConfigOpts, project_id: str = "p"
) -> Trigger:
    """A trigger with a checked configuration."""
    checked = driver(type_).check(configuration, conf)
    return Trigger(
        id=str(uuid.uuid4()),
        project_id=project_id,
        source=SourceOf(type_, checked),
        target=Target(kind="function", id="f"),
        created_at=time.time(),
    )


def driver(type_: str) -> type[base.Source]:
    found: type[base.Source] = plugins.load("funcflow.triggers", type_)
    return found


@contextlib.contextmanager
def served(
    made: Trigger, conf: cfg.ConfigOpts, sink: Sink, cursor: Cursor | None = None, **more: Any
) -> Iterator[base.Stream]:
    """The trigger's source, served until the end; what it raises fails the test."""
    tools = base.Tools(conf, None, cursor or Cursor(), sink.skip, **more)  # type: ignore[arg-type]
    source: Any = driver(made.source.type)(made, tools)
    assert isinstance(source, base.Stream)
    stop = threading.Event()
    raised: list[BaseException] = []

    def serve() -> None:
        try:
            source.serve(sink, stop)
        except base.Lost:
            pass
        except BaseException as exc:
            raised.append(exc)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield source
    finally:
        stop.set()
        thread.join(60)
        source.close()
        assert not thread.is_alive()
    assert not raised, raised
