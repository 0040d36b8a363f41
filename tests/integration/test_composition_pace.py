"""Steps of a project that may make so many calls a minute wait for their turn."""

from __future__ import annotations

import time
from pathlib import Path

from funcflow.states import CompositionState as State
from tests import conducting
from tests.conducting import machine
from tests.waiting import until

DOUBLE = "def main(n):\n    return n * 2\n"
EACH = {
    "Type": "Map",
    "ItemProcessor": machine({"Type": "Task", "Resource": "double"}, prefix="I"),
}


def test_steps_wait_for_another_minute(data_dir: Path) -> None:
    late = 0.0
    with conducting.stage(data_dir, quotas={"invocations_per_minute": 3}) as stage:
        stage.conductor(lambda: time.time() + late)
        stage.function("double", DOUBLE)
        made = stage.composition(machine(EACH))
        items = [{"n": n} for n in range(5)]
        execution = stage.begin(made, items).id
        until(lambda: len(stage.calls(execution)) == 3, timeout=20, what="the first calls")
        assert stage.find(execution).state is State.RUNNING
        late = 63.0
        assert stage.output(execution) == [0, 2, 4, 6, 8]
        assert len(stage.calls(execution)) == 5
        assert stage.drift() == 0


def test_who_stops_waits_no_longer(data_dir: Path) -> None:
    with conducting.stage(data_dir, quotas={"invocations_per_minute": 1}) as stage:
        stage.conductor()
        stage.function("double", DOUBLE)
        hurried = {"Type": "Task", "Resource": "double", "TimeoutSeconds": 1}
        made = stage.composition(machine({"Type": "Task", "Resource": "double"}, hurried))
        execution = stage.begin(made, {"n": 1}).id
        ended = stage.ended(execution)
        assert (ended.state, ended.error) == (State.FAILED, "States.Timeout")
