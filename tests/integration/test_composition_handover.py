"""Starts that somebody waits for, handed to conductors in other processes; and nudges."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from funcflow import errors
from funcflow.compositions import signals
from funcflow.peers import Peers
from funcflow.states import CompositionState as State
from tests import conducting
from tests.waiting import until

SECRET = "secret"
SLOW = "import time\ndef main(seconds=0, **given):\n    time.sleep(seconds)\n    return given\n"


@pytest.fixture
def stage(request: pytest.FixtureRequest, data_dir: Path) -> Iterator[conducting.Stage]:
    options: dict[str, Any] = conducting.installation("spread", request)
    with conducting.stage(data_dir, compositions={"held": 4}, **options) as made:
        made.function("slow", SLOW)
        yield made


@pytest.fixture
def peers(stage: conducting.Stage) -> Iterator[Peers]:
    """Sees conductors as an API of its own process does."""
    stage.watch_board()
    made = Peers(stage.board, SECRET)
    yield made
    made.close()


def composition(stage: conducting.Stage, **fields: Any) -> Any:
    step = {"Type": "Task", "Resource": "slow", **fields}
    return stage.composition(conducting.machine(step))


def seen(stage: conducting.Stage, count: int) -> None:
    until(lambda: len(stage.board.members()) == count, what="the conductors to be seen")


def held(stage: conducting.Stage) -> list[float]:
    return [made.metrics()["compositions_held"] for made in stage.conductors]


def test_a_start_is_answered_with_its_end(stage: conducting.Stage, peers: Peers) -> None:
    stage.conductor(door=SECRET)
    seen(stage, 1)
    made = stage.new(composition(stage), {"x": 1})
    row = peers.start_composition(made, 30)
    assert row is not None
    assert (row.id, row.state, row.output) == (made.id, State.SUCCEEDED, '{"x":1}')
    again = peers.start_composition(stage.new(composition(stage), name=made.name), 30)
    assert again is not None, "another composition may have an execution of that name"


def test_a_taken_name_gives_the_older_one(stage: conducting.Stage, peers: Peers) -> None:
    stage.conductor(door=SECRET)
    seen(stage, 1)
    one = composition(stage)
    first = peers.start_composition(stage.new(one, name="mine"), 30)
    second = peers.start_composition(stage.new(one, name="mine"), 30)
    assert first is not None
    assert second is not None
    assert first.id == second.id


def test_a_wait_that_ends_first_loses_nothing(stage: conducting.Stage, peers: Peers) -> None:
    stage.conductor(door=SECRET)
    seen(stage, 1)
    made = stage.new(composition(stage), {"seconds": 2, "x": 1})
    assert peers.start_composition(made, 0.1) is None
    assert stage.output(made.id) == {"x": 1}


def test_a_full_conductor_passes_it_on(stage: conducting.Stage, peers: Peers) -> None:
    for _ in range(2):
        stage.conductor(door=SECRET)
    seen(stage, 2)
    one = composition(stage)
    for n in range(8):
        # Nobody waits for the end; it is held all the same.
        assert peers.start_composition(stage.new(one, {"seconds": 30, "n": n}), 0.2) is None
    until(lambda: held(stage) == [4, 4], what="both to be full")
    late = stage.new(one)
    with pytest.raises(errors.TooMany):
        peers.start_composition(late, 30)
    assert not stage.known(late.id)


def test_without_a_conductor_nothing_is_kept(stage: conducting.Stage, peers: Peers) -> None:
    made = stage.new(composition(stage))
    with pytest.raises(errors.Unavailable):
        peers.start_composition(made, 1)
    assert not stage.known(made.id)
    peers.nudge(made.id)


def test_a_conductor_that_is_on_its_way_is_waited_for(
    stage: conducting.Stage, peers: Peers
) -> None:
    """As between the last one that left and the next one that comes."""
    made = stage.new(composition(stage), {"x": 1})
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        call = threads.submit(peers.start_composition, made, 60)
        stage.conductor(door=SECRET)
        row = call.result(60)
    assert row is not None
    assert row.state is State.SUCCEEDED


def test_one_that_is_stopping_passes_it_on(stage: conducting.Stage, peers: Peers) -> None:
    leaving = stage.conductor(door=SECRET)
    seen(stage, 1)
    busy = stage.new(composition(stage), {"seconds": 3})
    assert peers.start_composition(busy, 0.1) is None
    stage.in_state(busy.id, State.RUNNING)
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        stop = threads.submit(leaving.stop)
        call = threads.submit(peers.start_composition, stage.new(composition(stage)), 60)
        stage.conductor(door=SECRET)
        row = call.result(60)
        stop.result(60)
    assert row is not None
    assert row.state is State.SUCCEEDED


def test_a_nudge_reaches_who_holds_it(stage: conducting.Stage, peers: Peers) -> None:
    for _ in range(2):
        stage.conductor(door=SECRET)
    seen(stage, 2)
    made = stage.new(composition(stage), {"seconds": 30})
    assert peers.start_composition(made, 0.1) is None
    row = stage.in_state(made.id, State.RUNNING)
    stage.tell(made.id, signals.Stopped(time=time.time()))
    peers.nudge(made.id, row.owner)
    assert stage.ended(made.id).state is State.ABORTED
