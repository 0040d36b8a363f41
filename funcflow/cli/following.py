"""The states of an execution as lines for people, printed while it goes on.

Used by the commands that run compositions, here or on a server.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from funcflow.compositions import events
from funcflow.compositions.events import WIRE_NAMES, Details, Event, Type


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a thread of control is."""

    #: "Check each[3]" for an iteration; "" at the top.
    within: str = ""
    state: str = ""
    since: float = 0.0
    #: The Map or Parallel that the thread is a part of.
    outer: _Place | None = None

    @property
    def name(self) -> str:
        return "/".join(filter(None, (self.within, self.state)))

    def inside(self, suffix: str = "") -> _Place:
        return _Place(f"{self.name}{suffix}", outer=self)


def read(data: Mapping[str, Any]) -> Event:
    """An event as the server shows it, without the payloads, which are not printed."""
    kind = Type(data["type"])
    told: Mapping[str, Any] = data.get(WIRE_NAMES[kind], {})
    error, cause = told.get("error"), told.get("cause")
    details: Details | None = None
    if kind.endswith("StateEntered"):
        details = events.Entered(told["name"], None)
    elif kind.endswith("StateExited"):
        details = events.Exited(told["name"], None)
    elif kind.startswith("MapIteration"):
        details = events.Iteration(told["name"], told["index"])
    elif kind is Type.EvaluationFailed:
        details = events.Evaluation(told.get("state", ""), error or "", cause or "")
    elif error is not None:
        details = events.Error(error, cause)
    at = datetime.fromisoformat(data["timestamp"]).timestamp()
    return Event(data["id"], data["previousEventId"], at, kind, details)


class Follower:
    """Prints a line when a state is entered, left, or fails; and what functions print."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._begin: float | None = None
        #: Place of the thread that an event is of; "" and 0 are the outermost execution's start.
        self._places: dict[tuple[str, int], _Place] = {}

    def event(self, execution: str, event: Event) -> None:
        """``execution``: its name, "" for the outermost."""
        if self._begin is None:
            self._begin = event.time
        before = self._places.get((execution, event.previous), _Place(execution))
        self._places[execution, event.id] = self._told(before, event)

    def printed(self, name: str, text: str) -> None:
        """A function printed something; called in any thread."""
        for line in text.splitlines():
            self._line(f"{'':8}  {name}: {line}")

    def _told(self, place: _Place, event: Event) -> _Place:
        """Print what there is to say; the place after the event."""
        kind = event.type
        match event.details:
            case events.Entered(name=name):
                place = replace(place, state=name, since=event.time)
                self._say(event, f"> {place.name}")
            case events.Exited(name=name):
                self._say(event, f"< {place.name} ({event.time - place.since:.3f} s)")
            case events.Iteration(index=index):
                started = kind is Type.MapIterationStarted
                place = place.inside(f"[{index}]") if started else place.outer or place
            case _ if kind is Type.ParallelStateStarted:
                place = place.inside()
            case _ if kind.startswith("ParallelState"):
                place = place.outer or place
            case _ if kind.startswith(("Execution", "MapRun")):
                pass
            case events.Error(error=error) | events.Task(error=error) if error:
                self._say(event, f"! {place.name}: {error}")
            case events.Evaluation(error=error):
                self._say(event, f"! {place.name}: {error}")
        return place

    def _say(self, event: Event, text: str) -> None:
        assert self._begin is not None
        self._line(f"{event.time - self._begin:8.3f}  {text}")

    def _line(self, text: str) -> None:
        with self._lock:
            self._write(f"{text}\n")
