from __future__ import annotations

import itertools

import pytest

from funcflow.compositions import signals
from funcflow.compositions.compile import parse
from funcflow.compositions.draw_visits import Outcome, Visit, visits
from tests.unit.compositions.machines import Maker
from tests.virtual import START, Run, World

BUSY = """
import time
calls = []
class Busy(Exception):
    pass
def handler(event, context):
    time.sleep(2)
    calls.append(event)
    if len(calls) < 3:
        raise Busy("later")
    return event
"""
BROKEN = (
    "class Broken(Exception):\n    pass\ndef handler(event, context):\n    raise Broken('so')\n"
)
SLOW = "import time\ndef handler(event, context):\n    time.sleep(3)\n    return event\n"
FUNCTIONS = {"busy": BUSY, "broken": BROKEN, "slow": SLOW}


def run(text: str, input: object = None) -> Run:
    return World(FUNCTIONS).run(parse(text), input if input is not None else {})


def told(found: list[Visit]) -> list[tuple[str, Outcome, float]]:
    """(where, how it stands, seconds it took)"""
    return [
        (
            "/".join(filter(None, (visit.place, visit.name))),
            visit.outcome,
            round((visit.left or START) - visit.entered),
        )
        for visit in sorted(found, key=lambda visit: visit.order)
    ]


def test_every_try_of_a_task_is_an_attempt_of_one_visit() -> None:
    task = "{Type: Task, Resource: busy, End: true, Retry: [{ErrorEquals: [Busy]}]}"
    (visit,) = visits(run(f"StartAt: A\nStates:\n  A: {task}\n").history)
    assert visit.outcome is Outcome.SUCCEEDED
    assert visit.error is None
    began = [round(attempt.began - START) for attempt in visit.attempts]
    # Two seconds of work each, after waits of one and two seconds.
    assert began == [0, 3, 7]
    assert [attempt.error for attempt in visit.attempts] == ["Busy", "Busy", None]
    assert [round((a.ended or 0) - a.began) for a in visit.attempts] == [2, 2, 2]


NESTED = """
StartAt: Each
States:
  Each:
    Type: Map
    ItemsPath: $
    Catch: [{ErrorEquals: [States.ALL], Next: Sorry}]
    ItemProcessor:
      StartAt: Odd?
      States:
        Odd?:
          Type: Choice
          Choices: [{Variable: $, NumericEquals: 1, Next: Bad}]
          Default: Good
        Bad: {Type: Task, Resource: broken, End: true}
        Good: {Type: Task, Resource: slow, End: true}
    Next: Sorry
  Sorry: {Type: Pass, End: true}
"""


def test_a_failure_that_is_caught_ends_what_is_inside() -> None:
    found = visits(run(NESTED, [0, 1]).history)
    assert told(found) == [
        ("Each", Outcome.CAUGHT, 0),
        ("Each[0]/Odd?", Outcome.SUCCEEDED, 0),
        ("Each[0]/Good", Outcome.ABORTED, 0),
        ("Each[1]/Odd?", Outcome.SUCCEEDED, 0),
        ("Each[1]/Bad", Outcome.FAILED, 0),
        ("Sorry", Outcome.SUCCEEDED, 0),
    ]
    assert {visit.name: visit.error for visit in found if visit.error} == {"Bad": "Broken"}


BRANCHES = """
StartAt: Both
States:
  Both:
    Type: Parallel
    Branches:
      - StartAt: L
        States:
          L: {Type: Task, Resource: slow, Next: L2}
          L2: {Type: Pass, End: true}
      - {StartAt: R, States: {R: {Type: Wait, Seconds: 5, End: true}}}
    Next: After
  After: {Type: Task, Resource: slow, End: true}
"""


def test_branches_are_told_thread_by_thread() -> None:
    assert told(visits(run(BRANCHES).history)) == [
        ("Both", Outcome.SUCCEEDED, 5),
        ("Both/L", Outcome.SUCCEEDED, 3),
        ("Both/L2", Outcome.SUCCEEDED, 0),
        ("Both/R", Outcome.SUCCEEDED, 5),
        ("After", Outcome.SUCCEEDED, 3),
    ]


def test_what_still_runs_has_no_end() -> None:
    world = World(FUNCTIONS)
    begun = world.start(parse(BRANCHES), {})
    world._queue.pop(0)[2]()
    found = visits(begun.history)
    assert {visit.name: visit.left for visit in found} == {"Both": None, "L": None, "R": None}
    assert {visit.outcome for visit in found} == {Outcome.RUNNING}


def test_a_stop_ends_everything() -> None:
    world = World(FUNCTIONS)
    begun = world.start(parse(BRANCHES), {})
    world._queue.pop(0)[2]()
    world.send(begun, signals.Stopped(time=START + 1))
    assert {visit.outcome for visit in visits(begun.history)} == {Outcome.ABORTED}


def test_a_redrive_goes_on_with_the_visits_that_failed() -> None:
    world = World(FUNCTIONS)
    text = BRANCHES.replace("Resource: slow, Next", "Resource: busy, Next")
    begun = world.run(parse(text), {})
    assert begun.execution.status == "FAILED"
    failed = visits(begun.history)
    assert {v.name: v.outcome for v in failed} == {
        "Both": Outcome.FAILED, "L": Outcome.FAILED, "R": Outcome.ABORTED
    }  # fmt: skip
    for _ in range(2):
        world.send(begun, signals.Redriven(time=world.now))
        world.finish(begun)
    assert begun.execution.status == "SUCCEEDED"
    found = visits(begun.history)
    assert {v.name: v.outcome for v in found} == dict.fromkeys(
        ("Both", "L", "L2", "R", "After"), Outcome.SUCCEEDED
    )
    (left,) = [visit for visit in found if visit.name == "L"]
    assert len(left.attempts) == 3


def test_a_distributed_map_names_its_run() -> None:
    text = NESTED.replace(
        "StartAt: Odd?",
        "ProcessorConfig: {Mode: DISTRIBUTED, ExecutionType: STANDARD}\n      StartAt: Odd?",
    )
    found = visits(run(text, [0, 0]).history)
    assert told(found) == [("Each", Outcome.SUCCEEDED, 3), ("Sorry", Outcome.SUCCEEDED, 0)]
    assert found[0].run is not None
    assert "Each" in found[0].run


@pytest.mark.parametrize("seed", range(60))
def test_any_history_is_understood(seed: int) -> None:
    """Every state entered is a visit; each that was left has ended; nothing runs at the end."""
    history = World().run(parse(Maker(seed).definition()), {"n": 1, "items": [1, 2, 3]}).history
    found = visits(history)
    entered = [event for event in history if event.type.endswith("StateEntered")]
    assert [visit.name for visit in found] == [e.details.name for e in entered]  # type: ignore[union-attr]
    assert all(visit.left is not None for visit in found)
    assert Outcome.RUNNING not in {visit.outcome for visit in found}
    exited = sum(event.type.endswith("StateExited") for event in history)
    good = sum(visit.outcome in (Outcome.SUCCEEDED, Outcome.CAUGHT) for visit in found)
    assert good == exited
    assert len({visit.order for visit in found}) == len(found)
    again = sorted(found, key=lambda visit: visit.order)
    depths = [visit.depth for visit in again]
    assert all(after <= before + 1 for before, after in itertools.pairwise(depths))
