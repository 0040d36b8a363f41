"""Functions that run where the execution is held: slots, queue, turns of projects."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from funcflow import ids, models
from funcflow.conductor import slots
from funcflow.conductor.compositions import runs
from funcflow.conductor.compositions.crew import Crew
from funcflow.sandboxes.base import Outcome, SandboxError
from funcflow.states import State
from taskflow_flows import invocation as inv
from tests.waiting import until


class Worker:
    """Runs until it is let go, or cancelled."""

    id = "worker"

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.began: list[str] = []
        self._cancelled: set[str] = set()

    def invoke(self, request: Any, sink: Any) -> Outcome:
        self.began.append(request.execution_id)
        until(lambda: self.go_on.is_set() or request.execution_id in self._cancelled)
        if request.execution_id in self._cancelled:
            return Outcome(error=models.FunctionError(type="Cancelled", message=""))
        return Outcome(value="1")

    def cancel(self, execution_id: str) -> None:
        self._cancelled.add(execution_id)


class Platform:
    """Catalog and pools of one worker; ``broken``: no worker comes up."""

    def __init__(self) -> None:
        self.worker = Worker()
        self.broken = False

    def definition(self, function_id: str, revision: int) -> inv.Definition:
        made = models.Revision(
            function_id=function_id,
            number=revision,
            project_id="p",
            runtime_id=None,
            code={},
            digest=None,
        )
        return inv.Definition(revision=made, function_name="f", language="python3", trusted=True)

    def acquire(
        self, definition: inv.Definition, timeout: float, project_id: str | None = None
    ) -> Any:
        if self.broken:
            raise SandboxError("no worker comes up", code="start_failed")
        return _Lease(self.worker)


class _Lease:
    cold, startup = False, 0.0
    secrets: dict[str, str] = {}
    hidden = ()

    def __init__(self, worker: Worker) -> None:
        self.worker = worker

    def give_back(self) -> None:
        """Others may use it all the time."""

    def discard(self) -> None:
        """It is kept."""


class Place:
    """Two run slots."""

    def __init__(self) -> None:
        self.platform: Any = Platform()
        self.crew = Crew(8)
        self.starved = False
        self.ended: dict[str, models.Execution | None] = {}
        limits = inv.Limits(1000, 1000, 1.0)
        parts = runs.Parts(self.platform, self.platform, None, limits)  # type: ignore[arg-type]
        self.slots = slots.Slots(2)
        self.runs = runs.Runs(
            parts,
            self.slots,
            self.crew,
            starved=lambda: self.starved,
            freed=lambda: self.runs.pump(),
        )

    def offer(self, project: str = "p", room: int = 100) -> runs.Run | None:
        execution = models.Execution(
            id=ids.new(),
            project_id=project,
            function_id="f",
            revision=1,
            expires_at=time.time() + 60,
            created_at=time.time(),
        )
        run = runs.Run(execution, "owner", 5.0, self._ended)
        return run if self.runs.offer(run, room) else None

    def _ended(
        self, run: runs.Run, settled: models.Execution | None, logs: tuple[models.LogChunk, ...]
    ) -> None:
        self.ended[run.execution.id] = settled

    def begun(self, run: runs.Run | None) -> bool:
        assert run is not None
        return run.execution.id in self.platform.worker.began


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place()
    yield made
    made.platform.worker.go_on.set()
    made.crew.stop()


def test_what_finds_no_slot_waits_or_is_refused(place: Place) -> None:
    first, second = place.offer("a"), place.offer("b")
    until(lambda: place.begun(first) and place.begun(second), what="both to run")
    third = place.offer("a", room=1)
    assert place.offer("a", room=1) is None, "one waits already"
    assert not place.begun(third)
    place.platform.worker.go_on.set()
    until(lambda: place.begun(third), what="the one that waited")
    until(lambda: len(place.ended) == 3, what="all to end")
    settled = [each for each in place.ended.values() if each is not None]
    assert {(each.state, each.output, each.attempts) for each in settled} == {
        (State.SUCCEEDED, "1", 1)
    }
    until(lambda: place.slots.running == 0, what="the slots to be given back")


def test_projects_take_turns(place: Place) -> None:
    blockers = [place.offer("x"), place.offer("y")]
    until(lambda: all(map(place.begun, blockers)), what="no slot to be free")
    waiting = [place.offer(project) for project in ("a", "a", "a", "b")]
    place.platform.worker.go_on.set()
    until(lambda: len(place.ended) == 6, what="all to end")
    order = place.platform.worker.began[2:]
    last = waiting[3]
    assert last is not None
    assert order.index(last.execution.id) <= 2, "the other project waited for all of the first"


def test_half_of_the_slots_are_for_the_board_while_it_waits(place: Place) -> None:
    place.starved = True
    first = place.offer("a")
    until(lambda: place.begun(first), what="it to run")
    second = place.offer("b")
    assert not place.begun(second)
    place.starved = False
    place.runs.pump()
    until(lambda: place.begun(second), what="it to run as well")


def test_cancelled_runs_end_at_once_and_cancelled_waits_never_begin(place: Place) -> None:
    running = [place.offer("a"), place.offer("b")]
    until(lambda: all(map(place.begun, running)), what="both to run")
    waiting = place.offer("c")
    for run in (waiting, *running):
        assert run is not None
        place.runs.cancel(run)
    until(lambda: len(place.ended) == 2, what="those that ran to end")
    assert all(each and each.error for each in place.ended.values())
    later = place.offer("d")
    place.platform.worker.go_on.set()
    until(lambda: place.begun(later), what="a later one")
    assert not place.begun(waiting)


def test_what_the_platform_fails_has_no_outcome(place: Place) -> None:
    place.platform.broken = True
    run = place.offer()
    assert run is not None
    until(lambda: run.execution.id in place.ended, what="its end")
    assert place.ended[run.execution.id] is None
    until(lambda: place.slots.running == 0, what="the slot to be given back")
