"""What the history of an execution says of its states: visits, with times and attempts.

Pure; called by :mod:`funcflow.compositions.draw_marks` and
:mod:`funcflow.compositions.draw_timeline`. A visit is one stay of one thread in one state:
a state inside of a Map has as many as there are items.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from funcflow.compositions import events
from funcflow.compositions.events import Event, Type


class Outcome(StrEnum):
    """How a visit stands; the words are shown."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    #: A catcher took the failure.
    CAUGHT = "caught"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    ABORTED = "aborted"


@dataclass(slots=True, eq=False)
class Attempt:
    """One try of a Task's work; times in seconds since the epoch, ``ended`` None: it goes on."""

    began: float
    ended: float | None = None
    #: Name of the error it failed with.
    error: str | None = None


@dataclass(slots=True, eq=False)
class Visit:
    """Built from events; ``place`` is where the thread is, ``Check each[3]``, "" at the top."""

    name: str
    #: Type of the state.
    kind: str
    place: str
    #: Maps and Parallels around it.
    depth: int
    entered: float
    left: float | None = None
    outcome: Outcome = Outcome.RUNNING
    attempts: list[Attempt] = field(default_factory=list)
    error: str | None = None
    cause: str | None = None
    #: The Map Run of a distributed Map, whose children are executions of their own.
    run: str | None = None
    #: Sorts visits as an outline: what is inside below what is around, thread by thread.
    order: tuple[int, ...] = ()

    def end(self, at: float, outcome: Outcome) -> None:
        self.left, self.outcome = at, outcome
        for attempt in self.attempts:
            if attempt.ended is None:
                attempt.ended = at


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an event happened: in a visit, inside of an iteration or branch."""

    visit: Visit | None = None
    within: str = ""
    #: The Map or Parallel around.
    outer: _Place | None = None
    #: The beginning of the ``order`` of the thread's visits.
    thread: tuple[int, ...] = (0,)
    depth: int = 0

    def inside(self, index: int | None = None) -> _Place:
        """In an iteration, or in some branch: which one tells its first visit."""
        visit = self.visit
        name = "/".join(filter(None, (self.within, visit.name if visit else "")))
        around = visit.order if visit else ()
        if index is None:
            return _Place(None, name, self, around, self.depth + 1)
        return _Place(None, f"{name}[{index}]", self, (*around, index), self.depth + 1)


_TOP = _Place()
_GROUPS = ("Map", "Parallel")
_ENDINGS = {
    Type.ExecutionSucceeded: Outcome.SUCCEEDED,
    Type.ExecutionFailed: Outcome.FAILED,
    Type.ExecutionTimedOut: Outcome.TIMED_OUT,
    Type.ExecutionAborted: Outcome.ABORTED,
}


def visits(history: Iterable[Event]) -> list[Visit]:
    """Every visit in the order of entering."""
    fold = _Fold()
    for event in history:
        fold.take(event)
    return fold.visits


class _Fold:
    def __init__(self) -> None:
        self.visits: list[Visit] = []
        self._places: dict[int, _Place] = {}
        #: Where each visit is; those that have not ended.
        self._place: dict[Visit, _Place] = {}
        self._open: dict[Visit, _Place] = {}
        #: Event by which a Map or Parallel last started its threads.
        self._started: dict[Visit, int] = {}
        #: The last redrive, and what it goes on with.
        self._redriven = 0
        self._again: list[_Place] = []

    def take(self, event: Event) -> None:
        place = self._places.get(event.previous, _TOP)
        if event.previous == self._redriven != 0:
            place = self._revived(event)
        self._places[event.id] = self._taken(place, event)

    def _taken(self, place: _Place, event: Event) -> _Place:
        """The place after the event."""
        kind = event.type
        match event.details:
            case events.Entered(name=name):
                return self._enter(place, event, name)
            case events.Exited(name=name):
                return self._exit(_around(place, name=name), event)
            case events.Iteration(name=name, index=index):
                owner = _around(place, name=name)
                if kind is Type.MapIterationStarted:
                    return owner.inside(index)
                outcome = Outcome.FAILED if kind is Type.MapIterationFailed else Outcome.ABORTED
                self._end_inside(owner.inside(index), event.time, outcome)
                return place if kind is Type.MapIterationAborted else owner
        if kind in _ENDINGS:
            self._end_all(event)
        elif kind is Type.ExecutionRedriven:
            self._redriven = event.id
            self._reopen()
        elif kind.endswith("StateAborted"):
            # Also told of the task whose failure ends its branch.
            failed = place.visit is not None and place.visit.error is not None
            self._end(place, event.time, Outcome.FAILED if failed else Outcome.ABORTED)
        elif kind.startswith(("MapState", "ParallelState")):
            return self._group(_around(place, kind=kind), event)
        elif isinstance(event.details, events.MapRun):
            place = _around(place, kind="MapState")
            if place.visit is not None:
                place.visit.run = event.details.map_run_arn
        elif place.visit is not None:
            _work(place.visit, event)
        return place

    def _enter(self, place: _Place, event: Event, name: str) -> _Place:
        kind = event.type.removesuffix("StateEntered")
        thread = place.thread
        if place.visit is None and not place.within.endswith("]"):
            thread = (*thread, event.id)
        order = (*thread, event.id)
        visit = Visit(name, kind, place.within, place.depth, event.time, order=order)
        self.visits.append(visit)
        here = _Place(visit, place.within, place.outer, thread, place.depth)
        self._open[visit] = self._place[visit] = here
        return here

    def _exit(self, place: _Place, event: Event) -> _Place:
        visit = place.visit
        if visit is not None:
            caught = visit.outcome is not Outcome.RUNNING or visit.error is not None
            if visit.kind in _GROUPS:
                self._end_inside(place.inside(), event.time, Outcome.ABORTED)
            self._open.pop(visit, None)
            visit.end(event.time, Outcome.CAUGHT if caught else Outcome.SUCCEEDED)
        return place

    def _group(self, place: _Place, event: Event) -> _Place:
        """A Map or Parallel started its threads, or they ended."""
        visit = place.visit
        if visit is None:
            return place
        if event.type.endswith("StateStarted"):
            visit.error = visit.cause = None
            visit.attempts.append(Attempt(event.time))
            self._started[visit] = event.id
            return place.inside() if visit.kind == "Parallel" else place
        failed = event.type.endswith("StateFailed")
        outcome = Outcome.FAILED if failed else Outcome.ABORTED
        self._end_inside(place.inside(), event.time, outcome)
        if failed:
            visit.outcome = outcome
        if visit.attempts:
            visit.attempts[-1].ended = event.time
        return place

    # Ends that no event of the visit itself tells

    def _end(self, place: _Place, at: float, outcome: Outcome) -> None:
        if place.visit in self._open:
            del self._open[place.visit]
            place.visit.end(at, outcome)

    def _end_inside(self, inside: _Place, at: float, outcome: Outcome) -> None:
        """End what is open inside of a Map or Parallel, or of one iteration."""
        prefix = inside.within
        for place in list(self._open.values()):
            within = place.within
            if within == prefix or within.startswith((f"{prefix}/", f"{prefix}[")):
                self._end(place, at, outcome)

    def _end_all(self, event: Event) -> None:
        """The execution ended; what it ended with is told of the state it ended in."""
        for visit, place in list(self._open.items()):
            self._end(place, event.time, _ENDINGS[event.type])
            if visit.error is None and visit.kind not in _GROUPS:
                visit.error = getattr(event.details, "error", None)
                visit.cause = getattr(event.details, "cause", None)

    # Redrives

    def _reopen(self) -> None:
        """The state at the top where it ended goes on, with what was under way inside of it."""
        top = next((visit for visit in reversed(self.visits) if visit.depth == 0), None)
        for visit in self.visits:
            place = self._place[visit]
            if visit.outcome in (Outcome.SUCCEEDED, Outcome.CAUGHT):
                continue
            owner = place.outer.visit if place.outer else None
            last = owner is not None and visit.order[-1] > self._started.get(owner, 0)
            if visit is top or (owner in self._open and last):
                visit.left, visit.outcome, visit.error = None, Outcome.RUNNING, None
                self._open[visit] = place
        self._again = list(self._open.values())

    def _revived(self, event: Event) -> _Place:
        """Threads go on in the order in which they were; their first events follow from the
        redrive, which says nothing of where they are."""
        name = getattr(event.details, "name", None)
        groups = event.type.startswith(("MapState", "ParallelState", "MapRun"))
        for place in self._again:
            visit = place.visit
            if visit is not None and (
                visit.name == name if name else (visit.kind in _GROUPS) == groups
            ):
                if event.type.endswith(("Scheduled", "StateExited")):
                    self._again.remove(place)
                return place
        return _TOP


def _around(place: _Place, *, name: str = "", kind: str = "") -> _Place:
    """The place itself or the nearest one around it that is of the named state, or that is
    open and of the type that the event's type begins with."""
    found: _Place | None = place
    while found is not None:
        visit = found.visit
        if visit is not None and (
            visit.name == name
            or (kind and kind.startswith(visit.kind) and visit.outcome is Outcome.RUNNING)
        ):
            return found
        found = found.outer
    return place


def _work(visit: Visit, event: Event) -> None:
    """The work of a Task began, ended or failed; a failed evaluation fails any state."""
    kind = event.type
    error = getattr(event.details, "error", None)
    if kind.endswith("Scheduled"):
        visit.error = visit.cause = None
        visit.attempts.append(Attempt(event.time))
    elif kind.endswith(("Failed", "TimedOut")):
        visit.error = error or "States.TaskFailed"
        visit.cause = getattr(event.details, "cause", None)
        if visit.attempts and visit.attempts[-1].ended is None:
            visit.attempts[-1].ended, visit.attempts[-1].error = event.time, visit.error
    elif kind.endswith("Succeeded") and visit.attempts:
        visit.attempts[-1].ended = event.time
