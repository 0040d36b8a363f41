"""Executions of compositions that are stopped, paused, resumed and redriven, wherever they are;
and those that wait, for a time or for room."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from funcflow import models
from funcflow.compositions import signals
from funcflow.conductor.conductor import Conductor
from funcflow.db import composition_executions as executions
from funcflow.states import CompositionState as State
from tests import conducting
from tests.waiting import until

SLOW = """
import time

def main(seconds=30, **given):
    time.sleep(seconds)
    return given
"""
#: Fails until a file is there.
FRAIL = """
import os

def main(path, **given):
    if not os.path.exists(path):
        raise ValueError("not yet")
    return given
"""
HOUR = 3600.0
WAIT = {"Type": "Wait", "Seconds": int(HOUR)}


class Clock:
    """The wall clock, as somebody sets it."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self._ahead

    def jump(self, seconds: float) -> None:
        self._ahead += seconds


@pytest.fixture(params=["embedded", "spread"])
def stage(request: pytest.FixtureRequest, data_dir: Path) -> Iterator[conducting.Stage]:
    options = conducting.installation(request.param, request)
    with conducting.stage(data_dir, compositions={"held": 4}, **options) as made:
        made.watch_board()
        made.function("slow", SLOW)
        made.function("frail", FRAIL)
        yield made


def step(name: str, **fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": name, **fields}


def running_a_function(stage: conducting.Stage, given: Any = None) -> models.CompositionExecution:
    """An execution whose first state, a function, is under way."""
    composition = stage.composition(conducting.machine(step("slow"), {"Type": "Pass"}))
    execution = stage.begin(composition, given)
    until(lambda: conductor_of(stage).metrics()["runs"], what="the function to run")
    return execution


def conductor_of(stage: conducting.Stage) -> Conductor:
    (made,) = stage.conductors
    return made


def parked(stage: conducting.Stage) -> models.CompositionExecution:
    """An execution that waits for an hour, and then is done."""
    composition = stage.composition(conducting.machine(WAIT, {"Type": "Pass", "Result": "over"}))
    execution = stage.begin(composition)
    return stage.in_state(execution.id, State.WAITING)


def stop(stage: conducting.Stage, execution_id: str) -> None:
    stage.tell(execution_id, signals.Stopped(time=time.time(), error="Enough", cause="by hand"))


def aborted(stage: conducting.Stage, execution_id: str) -> None:
    row = stage.ended(execution_id, 10)
    assert (row.state, row.error, row.cause) == (State.ABORTED, "Enough", "by hand")


# -- stop ---------------------------------------------------------------------------------


def test_stop_while_a_function_runs(stage: conducting.Stage) -> None:
    made = stage.conductor()
    execution = running_a_function(stage)
    stop(stage, execution.id)
    aborted(stage, execution.id)
    until(lambda: made.metrics()["runs"] == 0, what="the function to be stopped")


def test_stop_while_it_computes_without_end(stage: conducting.Stage) -> None:
    """Others have their turns meanwhile."""
    made = stage.conductor()
    never = {"Variable": "$.x", "IsPresent": True, "Next": "S1"}
    choice = {"Type": "Choice", "Choices": [never], "Default": "S0"}
    loop = stage.composition(conducting.machine(choice, {"Type": "Succeed"}), "EXPRESS")
    executions_ = [stage.begin(loop) for _ in range(3)]
    for execution in executions_:
        stage.in_state(execution.id, State.RUNNING)
    quick = stage.composition(conducting.machine(step("slow")))
    row = made.start_composition(stage.new(quick, {"seconds": 0}), 30)
    assert row is not None
    assert row.state is State.SUCCEEDED
    for execution in executions_:
        stop(stage, execution.id)
    for execution in executions_:
        aborted(stage, execution.id)


def test_stop_while_it_is_parked(stage: conducting.Stage) -> None:
    stage.conductor()
    execution = parked(stage)
    stop(stage, execution.id)
    aborted(stage, execution.id)


def test_stop_before_anybody_held_it(stage: conducting.Stage) -> None:
    execution = stage.begin(stage.composition(conducting.machine(WAIT)))
    stop(stage, execution.id)
    stage.conductor()
    aborted(stage, execution.id)
    assert len(stage.log(execution.id)) == 2, "Started and Stopped"


def test_what_is_stopped_does_not_wait_for_room(stage: conducting.Stage) -> None:
    """The conductor is full of executions that work; one behind them is stopped."""
    made = stage.conductor()
    composition = stage.composition(conducting.machine(step("slow")))
    for _ in range(4):
        stage.begin(composition)
    until(lambda: made.metrics()["compositions_held"] >= 3, what="a full conductor")
    late = stage.begin(composition)
    stop(stage, late.id)
    made.nudge(late.id)
    aborted(stage, late.id)


def test_stop_ends_what_was_started_elsewhere(stage: conducting.Stage) -> None:
    stage.conductor()
    stage.function("counted", SLOW, max_concurrency=1)
    execution = stage.begin(stage.composition(conducting.machine(step("counted"))))
    until(lambda: stage.calls(execution.id), what="an execution of its own")
    stop(stage, execution.id)
    aborted(stage, execution.id)
    until(lambda: stage.calls(execution.id)[0].state == "cancelled", what="its end")


# -- pause and resume ---------------------------------------------------------------------


def pause(stage: conducting.Stage, execution_id: str) -> None:
    stage.tell(execution_id, signals.Paused(time=time.time()))
    until(lambda: stage.find(execution_id).paused, what="the pause")


def resume(stage: conducting.Stage, execution_id: str) -> None:
    stage.tell(execution_id, signals.Resumed(time=time.time()))


def test_a_pause_lets_the_function_end_and_enters_no_state(stage: conducting.Stage) -> None:
    stage.conductor()
    execution = running_a_function(stage, {"seconds": 1, "x": 1})
    pause(stage, execution.id)
    until(lambda: stage.calls(execution.id), what="the result to be taken")
    stage.in_state(execution.id, State.WAITING)
    assert len(stage.log(execution.id)) == 3, "Started, Paused, TaskSucceeded"
    resume(stage, execution.id)
    assert stage.output(execution.id) == {"x": 1}


def test_a_pause_while_parked_and_while_queued(stage: conducting.Stage) -> None:
    two = conducting.machine({"Type": "Pass"}, {"Type": "Pass", "Result": 1})
    queued = stage.begin(stage.composition(two))
    stage.tell(queued.id, signals.Paused(time=time.time()))
    stage.conductor()
    waiting = parked(stage)
    pause(stage, waiting.id)
    until(lambda: stage.find(queued.id).paused, what="the pause of what was queued")
    for each in (queued, waiting):
        stage.in_state(each.id, State.WAITING)
    resume(stage, queued.id)
    assert stage.output(queued.id) == 1
    stop(stage, waiting.id)
    aborted(stage, waiting.id)


# -- redrive ------------------------------------------------------------------------------


def redrive(stage: conducting.Stage, execution_id: str) -> None:
    assert stage.database.write(executions.Redrive(execution_id, time.time()))


def test_a_redrive_goes_on_at_the_state_that_failed(
    stage: conducting.Stage, tmp_path: Path
) -> None:
    stage.conductor()
    path = tmp_path / "there"
    composition = stage.composition(conducting.machine(step("slow"), step("frail")))
    execution = stage.begin(composition, {"seconds": 0, "path": str(path), "x": 1})
    assert stage.ended(execution.id).error == "ValueError"
    path.touch()
    redrive(stage, execution.id)
    assert stage.output(execution.id) == {"x": 1}
    assert len(stage.calls(execution.id)) == 3, "the first one ran once"
    assert stage.find(execution.id).redrives == 1


def test_a_redrive_of_what_was_stopped(stage: conducting.Stage) -> None:
    made = stage.conductor()
    execution = running_a_function(stage, {"seconds": 30})
    stop(stage, execution.id)
    aborted(stage, execution.id)
    redrive(stage, execution.id)
    until(lambda: made.metrics()["runs"], what="the function to run again")
    stop(stage, execution.id)
    aborted(stage, execution.id)


def test_a_redrive_runs_the_failed_children_of_a_map_alone(
    stage: conducting.Stage, tmp_path: Path
) -> None:
    stage.conductor()
    paths = [str(tmp_path / name) for name in "ab"]
    Path(paths[0]).touch()
    inner = conducting.machine(step("frail"), prefix="Item")
    processor = {**inner, "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
    one_by_one = {"Type": "Map", "MaxConcurrency": 1, "ItemProcessor": processor}
    definition = conducting.machine(one_by_one)
    items = [{"path": path, "n": n} for n, path in enumerate(paths)]
    execution = stage.begin(stage.composition(definition), items)
    assert stage.ended(execution.id).error == "States.ExceedToleratedFailureThreshold"
    Path(paths[1]).touch()
    redrive(stage, execution.id)
    assert stage.output(execution.id) == [{"n": 0}, {"n": 1}]
    with stage.database.read() as conn:
        children = executions.children(conn, execution.id)
    ran = [child.map_index for child in children if child.state is State.SUCCEEDED]
    assert sorted(index for index in ran if index is not None) == [0, 1]


# -- waiting ------------------------------------------------------------------------------


def test_a_clock_that_jumps_ahead_wakes_what_is_parked(stage: conducting.Stage) -> None:
    clock = Clock()
    made = stage.conductor(clock)
    execution = parked(stage)
    assert made.metrics()["compositions_held"] == 0
    clock.jump(HOUR)
    assert stage.output(execution.id) == "over"


def test_a_clock_that_jumps_back_lets_it_wait_for_its_time(stage: conducting.Stage) -> None:
    clock = Clock()
    stage.conductor(clock)
    execution = parked(stage)
    clock.jump(-HOUR)
    clock.jump(2 * HOUR - 2)
    assert stage.find(execution.id).state is State.WAITING
    assert stage.output(execution.id) == "over"


def test_a_clock_that_jumps_fires_the_timers_of_what_is_held(stage: conducting.Stage) -> None:
    """Beside a function that runs, an execution is not parked."""
    clock = Clock()
    made = stage.conductor(clock)
    branches = [
        conducting.machine(step("slow"), prefix="A"),
        conducting.machine(WAIT, {"Type": "Fail", "Error": "TimeCame"}, prefix="B"),
    ]
    definition = conducting.machine({"Type": "Parallel", "Branches": branches})
    execution = stage.begin(stage.composition(definition))
    until(lambda: made.metrics()["runs"], what="the function to run")
    clock.jump(HOUR)
    assert stage.ended(execution.id, 15).error == "TimeCame"


def test_many_more_wait_than_may_be_held(stage: conducting.Stage) -> None:
    made = stage.conductor()
    composition = stage.composition(conducting.machine(WAIT))
    waiting = [stage.begin(composition) for _ in range(100)]
    for each in waiting:
        stage.in_state(each.id, State.WAITING)
    until(lambda: made.metrics()["compositions_held"] == 0, what="room")
    assert made.metrics()["compositions_parked_total"] == 100


def test_those_that_wait_for_their_children_make_room_for_them(stage: conducting.Stage) -> None:
    """Four may be held, and four parents are: each waits for what has no room to run."""
    stage.conductor()
    inner = conducting.machine(step("slow"), prefix="Item")
    processor = {**inner, "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
    definition = conducting.machine({"Type": "Map", "ItemProcessor": processor})
    composition = stage.composition(definition)
    items = [{"seconds": 0, "n": n} for n in range(3)]
    parents = [stage.begin(composition, items) for _ in range(6)]
    for parent in parents:
        assert stage.output(parent.id, 60) == [{"n": n} for n in range(3)]


def test_a_start_that_somebody_waits_for(stage: conducting.Stage) -> None:
    made = stage.conductor()
    composition = stage.composition(conducting.machine(step("slow")))
    row = made.start_composition(stage.new(composition, {"seconds": 0, "x": 1}), 60)
    assert row is not None
    assert (row.state, row.output) == (State.SUCCEEDED, '{"x":1}')
    known = made.start_composition(stage.new(composition, name=row.name), 60)
    assert known is not None
    assert known.id == row.id, "the name was taken"
    slow = stage.new(composition, {"seconds": 30})
    assert made.start_composition(slow, 0.2) is None, "the wait ended"
    assert stage.find(slow.id).state is State.RUNNING


def test_everything_is_accounted_for(stage: conducting.Stage) -> None:
    stage.conductor()
    composition = stage.composition(conducting.machine(step("slow"), WAIT))
    made = [stage.begin(composition, {"seconds": 0}) for _ in range(5)]
    threads = [threading.Thread(target=stop, args=(stage, each.id)) for each in made[:3]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in made[:3]:
        aborted(stage, each.id)
    for each in made[3:]:
        stage.in_state(each.id, State.WAITING)
    until(lambda: stage.drift() == 0, what="accepted = queued + running + waiting + settled + dead")
