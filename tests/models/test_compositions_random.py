"""Random compositions under random schedules and faults.

Whatever the order of answers, with answers lost, repeated, late or stale, with conductors
that crash between any two signals: an execution ends, its history is whole, each result is
used once, and a replay of its signals is the same to the last event and command.
"""

from __future__ import annotations

import dataclasses
import json
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from funcflow.compositions import commands, signals
from funcflow.compositions.advance import advance, replay
from funcflow.compositions.commands import Command, Request
from funcflow.compositions.compile import parse
from funcflow.compositions.definition import Definition
from funcflow.compositions.events import Event, Type
from funcflow.compositions.execution import Bounds, Execution
from funcflow.compositions.signals import Signal
from funcflow.compositions.step import INTERNAL
from tests.unit.compositions.machines import Maker

INPUT = {"n": 5, "items": [1, 7, 4]}
ENDINGS = {Type.ExecutionSucceeded, Type.ExecutionFailed, Type.ExecutionAborted}
ENDINGS |= {Type.ExecutionTimedOut}


class Schedule:
    """One execution, driven by chance."""

    def __init__(
        self,
        definition: Definition,
        seed: int,
        *,
        faults: bool,
        input: Any = INPUT,
        outputs: Sequence[Any] = (4,),
    ) -> None:
        self.input, self.outputs = input, outputs
        self.definition = definition
        self.random = random.Random(seed)
        self.faults = faults
        self.execution = self.fresh()
        self.log: list[Signal] = []
        self.history: list[Event] = []
        self.commands: list[Command] = []
        self.time = 1000.0
        #: Signals that may still come, also for commands taken back.
        self.stale: list[Signal] = []
        self.accepted = 0

    def fresh(self) -> Execution:
        return Execution(self.definition, bounds=Bounds(states=3))

    def send(self, signal: Signal) -> None:
        waiting = self.execution.waiting.get(getattr(signal, "id", 0))
        if isinstance(signal, signals.TaskSucceeded) and waiting is not None:
            self.accepted += isinstance(waiting[0], commands.RunTask)
        tired = self.random.random() if self.faults else 0.0
        wanted, happened = advance(
            self.execution, signal, lambda: self.random.random() < tired * 0.3
        )
        if wanted and isinstance(wanted[-1], commands.Continue):
            signal = dataclasses.replace(signal, states=wanted[-1].states)
        self.log.append(signal)
        self.commands += wanted
        self.history += happened

    def run(self) -> None:
        self.send(signals.Started(time=self.time, input=self.input, seed="s"))
        for _ in range(3000):
            if self.execution.status != "RUNNING":
                return
            self.step()
        raise AssertionError(f"never ended: {self.execution.states}")

    def step(self) -> None:
        self.time += self.random.random()
        if self.faults and self.random.random() < 0.1:
            self.fault()
        elif self.execution.ready and not self.execution.paused:
            self.send(signals.Continued(time=self.time))
        elif self.execution.paused:
            self.send(signals.Resumed(time=self.time))
        else:
            outstanding = self.execution.outstanding
            tasks = [each for each in outstanding if not self.is_limit(each)]
            assert tasks, f"waits for nothing in {self.execution.states}"
            self.send(self.answer(self.random.choice(tasks)))

    def is_limit(self, request: Request) -> bool:
        """The timer of the whole execution."""
        return isinstance(request, commands.StartTimer) and request.due > 9000

    def answer(self, request: Request) -> Signal:
        given: dict[str, Any] = {"time": self.time, "id": request.id}
        if isinstance(request, commands.StartTimer):
            # A clock that jumps is no reason to fire early.
            given["time"] = self.time = max(self.time, request.due)
            return signals.TimerFired(**given)
        if self.faults and self.random.random() < 0.3:
            if self.random.random() < 0.3:
                return signals.TaskTimedOut(**given)
            return signals.TaskFailed(error=self.random.choice(("Boom", "Other", None)), **given)
        output = {"child": getattr(request, "index", 0)}
        if isinstance(request, commands.RunTask):
            output = self.random.choice(self.outputs)
        signal = signals.TaskSucceeded(output=output, **given)
        if self.random.random() < 0.2:
            self.stale.append(signal)
        return signal

    def fault(self) -> None:
        match self.random.randint(0, 5):
            case 0:
                self.crash()
            case 1 if self.stale:
                self.send(self.random.choice(self.stale))
            case 2:
                self.send(signals.Paused(time=self.time))
            case 3:
                # A time from before: a clock that was set back.
                self.send(signals.Continued(time=self.time - 500))
            case 4:
                self.send(signals.TimerFired(time=self.time, id=999))
            case 5 if self.random.random() < 0.1:
                self.send(signals.Stopped(time=self.time, error="Tired"))

    def crash(self) -> None:
        """Another conductor takes over: it has the log and nothing else."""
        before = self.execution
        self.execution = self.fresh()
        assert replay(self.execution, self.log) == self.history
        assert self.execution.outstanding == before.outstanding
        assert self.execution.states == before.states
        assert self.execution.status == before.status

    def check(self) -> None:
        """What holds for every execution that ended."""
        assert not self.execution.outstanding
        assert [event.id for event in self.history] == list(range(1, len(self.history) + 1))
        assert all(event.previous < event.id for event in self.history)
        assert [event.type in ENDINGS for event in self.history].index(True) == (
            len(self.history) - 1
        )
        requested = Counter(each.id for each in self.commands if isinstance(each, Request))
        taken_back = Counter(
            each.id
            for each in self.commands
            if isinstance(each, commands.CancelTask | commands.CancelTimer)
        )
        assert set(requested.values()) <= {1}
        assert set(taken_back.values()) <= {1}
        assert set(taken_back) <= set(requested)
        assert isinstance(self.commands[-1], commands.Finish)
        kinds = Counter(event.type for event in self.history)
        assert kinds[Type.LambdaFunctionSucceeded] == self.accepted
        again = self.fresh()
        written = json.loads(json.dumps([signals.dump(signal) for signal in self.log]))
        assert replay(again, map(signals.load, written)) == self.history
        assert (again.status, again.output) == (self.execution.status, self.execution.output)


@pytest.mark.parametrize("batch", range(10))
def test_faults(batch: int) -> None:
    for seed in range(batch * 40, batch * 40 + 40):
        definition = parse(Maker(seed).definition())
        for schedule in range(5):
            trial = Schedule(definition, seed * 100 + schedule, faults=True)
            trial.run()
            trial.check()


def test_faults_reach_every_ending() -> None:
    """The schedules above would prove little if all went one way."""
    seen: Counter[str] = Counter()
    for seed in range(150):
        trial = Schedule(parse(Maker(seed).definition()), seed, faults=True)
        trial.run()
        seen[trial.execution.status] += 1
        seen.update(event.type.value for event in trial.history)
    wanted = {"SUCCEEDED", "FAILED", "ABORTED", "MapIterationAborted", "ParallelStateFailed"}
    wanted |= {"MapRunFailed", "MapRunSucceeded", "TaskStateAborted", "LambdaFunctionTimedOut"}
    assert wanted <= set(seen)


WILD: list[Any] = [None, True, -1, 1e308, "", "\ud800", "$.n", [], [[]], {}, {"n": None}]
WILD += [{"n": "x", "items": "y"}, {"n": 2**70, "items": [None, "a", {}]}, {"items": {"a": 1}}]


@pytest.mark.parametrize("input", WILD, ids=repr)
def test_any_input_will_do(input: Any) -> None:
    """States fail as they should; nothing fails that should not."""
    for seed in range(60):
        definition = parse(Maker(seed).definition())
        trial = Schedule(definition, seed, faults=True, input=input, outputs=WILD)
        trial.run()
        trial.check()
        assert INTERNAL not in str([event.details for event in trial.history])


@pytest.mark.parametrize("batch", range(4))
def test_order_does_not_matter(batch: int) -> None:
    """Without faults every schedule gives the same output."""
    for seed in range(batch * 25, batch * 25 + 25):
        definition = parse(Maker(seed, calm=True).definition())
        outputs = []
        for schedule in range(4):
            trial = Schedule(definition, schedule, faults=False)
            trial.run()
            trial.check()
            assert trial.execution.status == "SUCCEEDED", trial.execution.cause
            outputs.append(trial.execution.output)
        assert all(output == outputs[0] for output in outputs)


@pytest.mark.parametrize("seed", range(60))
def test_redrive_ends_well(seed: int) -> None:
    """An execution that failed or was stopped, redriven without faults, succeeds."""
    trial = Schedule(parse(Maker(seed, calm=True).definition()), seed, faults=True)
    trial.run()
    for _ in range(30):
        if trial.execution.status == "SUCCEEDED":
            break
        trial.faults = trial.execution.redrives < 3
        trial.send(signals.Redriven(time=trial.time))
        while trial.execution.status == "RUNNING":
            trial.step()
        trial.crash()
    assert trial.execution.status == "SUCCEEDED", trial.execution.cause
    calm = Schedule(trial.definition, seed, faults=False)
    calm.run()
    assert trial.execution.output == calm.execution.output
