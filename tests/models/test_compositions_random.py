"""Random compositions under random schedules and faults, in virtual time.

Whatever the order of answers, with answers lost, repeated, late or stale, with conductors that
crash wherever they could: an execution ends, its history is whole, each result is used once, and
its log replays to the last event and command. A seed is a schedule; a failure tells its own.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from funcflow.compositions.compile import parse
from funcflow.compositions.definition import Definition
from tests.models import simulation
from tests.models.simulation import CALM, ROUGH, WILD, Kept, World
from tests.models.simulation_checks import check
from tests.unit.compositions.machines import Maker

#: Another one explores other schedules; so do more of them.
FIRST = int(os.environ.get("FUNCFLOW_SEED", "0"))
MANY = int(os.environ.get("FUNCFLOW_SCHEDULES", "150"))


def made(seed: int, *, calm: bool = False) -> Definition:
    return parse(Maker(seed, calm=calm, outside=True).definition())


@contextlib.contextmanager
def told(*seeds: int) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        error.add_note(f"seeds of definition and schedule: {', '.join(map(str, seeds))}")
        raise


def ran(world: World, definition: Definition, input: Any = simulation.INPUT) -> Kept:
    it = world.start(definition, input)
    world.run()
    check(world)
    return it


@pytest.mark.parametrize("batch", range(10))
def test_faults(batch: int) -> None:
    first = FIRST + batch * MANY
    print(f"seeds {first} to {first + MANY - 1}")
    for seed in range(first, first + MANY):
        with told(seed, seed):
            ran(World(seed, WILD), made(seed))


def test_faults_reach_every_ending() -> None:
    """The schedules above would prove little if all went one way."""
    seen: Counter[str] = Counter()
    crashes = 0
    for seed in range(150):
        world = World(seed, WILD)
        seen[ran(world, made(seed)).status] += 1
        for it in world.executions:
            seen.update(event.type.value for event in it.history)
            crashes += it.crashes
    wanted = {"SUCCEEDED", "FAILED", "ABORTED", "MapIterationAborted", "ParallelStateFailed"}
    wanted |= {"MapRunFailed", "MapRunSucceeded", "TaskStateAborted", "LambdaFunctionTimedOut"}
    wanted |= {"TaskSubmitted", "TaskSucceeded", "TaskTimedOut", "TaskFailed"}
    assert wanted <= set(seen)
    assert crashes > 100


def test_a_seed_is_a_schedule() -> None:
    for seed in range(20):
        definition = made(seed)
        one, two = (ran(World(seed, WILD), definition) for _ in range(2))
        assert (one.log, one.history, one.given) == (two.log, two.history, two.given)


INPUTS: list[Any] = [None, True, -1, 1e308, "", "\ud800", "$.n", [], [[]], {}, {"n": None}]
INPUTS += [{"n": "x", "items": "y"}, {"n": 2**70, "items": [None, "a", {}]}, {"items": {"a": 1}}]


@pytest.mark.parametrize("input", INPUTS, ids=repr)
def test_any_input_will_do(input: Any) -> None:
    """States fail as they should; nothing fails that should not."""
    for seed in range(60):
        with told(seed, seed):
            ran(World(seed, WILD, outputs=INPUTS), made(seed), input)


@pytest.mark.parametrize("batch", range(5))
def test_neither_order_nor_crashes_matter(batch: int) -> None:
    """Where no task fails, every schedule gives the same output."""
    for seed in range(FIRST + batch * 25, FIRST + batch * 25 + 25):
        definition = made(seed, calm=True)
        expected = ran(World(seed, CALM), definition).outputs
        for schedule in range(4):
            with told(seed, schedule):
                it = ran(World(schedule, ROUGH), definition)
                assert it.status == "SUCCEEDED"
                assert it.outputs == expected


class Doomed(World):
    """A holder crashes once, at the ``at``-th place where it could."""

    def __init__(self, seed: int, at: int) -> None:
        super().__init__(seed, CALM)
        self.at, self.places = at, 0

    def dies(self, of: float) -> bool:
        self.places += 1
        return self.places == self.at


@pytest.mark.parametrize("seed", range(10))
def test_killed_at_every_boundary(seed: int) -> None:
    """Before and after each append, and between any two things it asks for."""
    definition = made(FIRST + seed, calm=True)
    unharmed = Doomed(seed, 0)
    expected = ran(unharmed, definition).outputs
    for at in range(1, unharmed.places + 1):
        with told(FIRST + seed, at):
            world = Doomed(seed, at)
            assert ran(world, definition).outputs == expected
            assert sum(it.crashes for it in world.executions) == 1


@pytest.mark.parametrize("batch", range(4))
def test_redrive_ends_well(batch: int) -> None:
    """An execution that failed or was stopped, redriven until no task fails, succeeds."""
    for seed in range(FIRST + batch * 25, FIRST + batch * 25 + 25):
        definition = made(seed, calm=True)
        with told(seed, seed):
            world = World(seed, WILD)
            it = ran(world, definition)
            for redrives in range(6):
                if it.status == "SUCCEEDED":
                    break
                world.faults = WILD if redrives < 3 else ROUGH
                world.redrive(it)
                world.run()
                check(world)
            assert it.outputs == ran(World(seed, CALM), definition).outputs
