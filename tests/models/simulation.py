"""Executions of compositions in virtual time, kept the way a conductor keeps them.

A :class:`World` has a clock, what is to happen later, and executions: of each what is durable
(log and inbox) and what its holder has in memory. Chance says how long anything takes, in which
order it comes and what goes wrong; it follows from the seed alone, so a seed is a schedule.
"""

from __future__ import annotations

import heapq
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from funcflow.compositions import commands, signals
from funcflow.compositions.advance import advance, replay
from funcflow.compositions.commands import Command, Request
from funcflow.compositions.definition import Definition, Machine
from funcflow.compositions.events import Event
from funcflow.compositions.execution import Bounds, Execution
from funcflow.compositions.resources import Pattern
from funcflow.compositions.signals import Signal

START = 1000.0
#: Things that happen in one world at most; more is a schedule that never ends.
LONGEST = 30_000
INPUT = {"n": 5, "items": [1, 7, 4]}


@dataclass(frozen=True)
class Faults:
    """How likely things go wrong, each time they could."""

    #: The holder is gone before it has written what it took, or after it has done all.
    crash: float = 0.0
    #: It is gone before it asks for the next thing.
    half: float = 0.0
    #: Nothing is in memory while there is nothing to do.
    park: float = 0.0
    #: An answer comes twice.
    twice: float = 0.0
    #: A task fails; takes longer than its limit; misses a heartbeat.
    fail: float = 0.0
    late: float = 0.0
    #: A request of a user comes: stop, pause, redrive. For each second.
    stop: float = 0.0
    pause: float = 0.0
    #: Seconds that clocks of holders are wrong by.
    skew: float = 0.0


CALM = Faults()
#: What a result must not depend on.
ROUGH = Faults(crash=0.06, half=0.03, park=0.1, twice=0.2, pause=0.02, skew=5.0)
WILD = replace(ROUGH, fail=0.25, late=0.1, stop=0.003)


@dataclass(eq=False)
class Kept:
    """One execution. What is durable outlives its holder."""

    name: str
    definition: Definition
    machine: Machine | None
    input: Any
    parent: tuple[Kept, int] | None = None
    log: list[str] = field(default_factory=list)
    inbox: list[dict[str, Any]] = field(default_factory=list)
    consumed: int = 0
    status: str = "RUNNING"
    #: Tasks and children started elsewhere, by command: they are started once.
    elsewhere: dict[int, Kept | None] = field(default_factory=dict)

    # The holder's memory; its epoch tells its own timers and answers from those of others.
    held: Execution | None = None
    epoch: int = 0
    skew: float = 0.0
    mailbox: list[Signal] = field(default_factory=list)
    turning: bool = False

    # What has happened, for the checks.
    history: list[Event] = field(default_factory=list)
    given: list[Command] = field(default_factory=list)
    asked: dict[int, Request] = field(default_factory=dict)
    outputs: list[Any] = field(default_factory=list)
    crashes: int = 0


class World:
    """Make one, :meth:`start` an execution, :meth:`run`, and look at it."""

    def __init__(self, seed: int, faults: Faults = CALM, outputs: Sequence[Any] = (4,)) -> None:
        self.random = random.Random(seed)
        self.faults = faults
        self.outputs = outputs
        self.now = START
        self.executions: list[Kept] = []
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def start(self, definition: Definition, input: Any = INPUT, **about: Any) -> Kept:
        machine = about.pop("machine", None)
        it = Kept(about.pop("name", "top"), definition, machine, input, **about)
        self.executions.append(it)
        self.later(0, lambda: self.take(it))
        if it.parent is None:
            self.later(1, lambda: self._users(it))
        return it

    def run(self) -> None:
        """Until nothing is left to happen."""
        for _ in range(LONGEST):
            if not self._queue:
                return
            when, _, happen = heapq.heappop(self._queue)
            self.now = max(self.now, when)
            happen()
        stuck = [(it.name, it.held.states if it.held else "-") for it in self.executions]
        raise AssertionError(f"never ends: {stuck}")

    def later(self, seconds: float, happen: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._queue, (self.now + seconds, self._count, happen))

    def chance(self, of: float) -> bool:
        return of > 0 and self.random.random() < of

    def dies(self, of: float) -> bool:
        """Asked wherever a crash of a holder would make a difference."""
        return self.chance(of)

    # -- who holds it ------------------------------------------------------------------------

    def take(self, it: Kept) -> None:
        """A conductor takes it (over): it has the log and nothing else."""
        if it.held is not None:
            return
        it.held = Execution(it.definition, it.machine, bounds=Bounds(states=3), key=it.name)
        it.epoch += 1
        it.skew = self.random.uniform(-1, 1) * self.faults.skew
        it.mailbox = []
        history = replay(it.held, [signals.load(json.loads(line)) for line in it.log])
        assert history == it.history
        assert it.held.status == it.status
        if not it.log:
            started = signals.Started(time=self.clock(it), input=it.input, seed=it.name)
            it.mailbox.append(started)
        for request in it.held.outstanding:
            self.ask(it, request)
        if it.held.runnable:
            it.mailbox.append(signals.Continued(time=self.clock(it)))
        self.nudge(it)

    def lose(self, it: Kept, *, parked: bool = False) -> None:
        """Whatever was in memory is gone. A crash is noticed, a parked execution woken."""
        it.held, it.turning, it.mailbox = None, False, []
        it.epoch += 1
        it.crashes += not parked
        if not parked:
            self.later(self.random.random() * 3, lambda: self.take(it))

    def clock(self, it: Kept) -> float:
        return self.now + it.skew

    def nudge(self, it: Kept) -> None:
        """There is something for it, in the mailbox or in the inbox."""
        if it.held is None:
            self.later(self.random.random(), lambda: self.take(it))
        elif not it.turning and (it.mailbox or it.consumed < len(it.inbox)):
            it.turning = True
            epoch = it.epoch
            self.later(self.random.random() * 0.01, lambda: self._turn(it, epoch))

    def _turn(self, it: Kept, epoch: int) -> None:
        """Take what is there, write that down, then ask for what follows."""
        if it.epoch != epoch or it.held is None:
            return
        it.turning = False
        most = self.random.randint(1, 4)
        taken, it.mailbox = it.mailbox[:most], it.mailbox[most:]
        entries = it.inbox[it.consumed : it.consumed + most]
        taken += [self._signal(it, entry) for entry in entries]
        lines, wanted, happened = self._advance(it.held, taken)
        if self.dies(self.faults.crash):
            self.lose(it)
            return
        self._append(it, lines, len(entries), wanted, happened)
        for command in wanted:
            if self.dies(self.faults.half):
                self.lose(it)
                return
            self._do(it, command)
        if self.dies(self.faults.crash):
            self.lose(it)
            return
        if it.status != "RUNNING":
            self.lose(it, parked=True)
        elif self._idle(it) and self.chance(self.faults.park):
            self._park(it)
        else:
            self.nudge(it)

    def _advance(
        self, held: Execution, taken: Sequence[Signal]
    ) -> tuple[list[str], list[Command], list[Event]]:
        lines, wanted, happened = [], [], []
        tired = self.random.random() * 0.3 if self.faults.crash else 0.0
        for signal in taken:
            given, events = advance(held, signal, lambda: self.random.random() < tired)
            if given and isinstance(given[-1], commands.Continue):
                signal = replace(signal, states=given[-1].states)
            lines.append(json.dumps(signals.dump(signal)))
            wanted += given
            happened += events
        return lines, wanted, happened

    def _append(
        self, it: Kept, lines: list[str], entries: int, wanted: list[Command], events: list[Event]
    ) -> None:
        """One transaction; its parent is told of its end in the same."""
        assert it.held is not None
        it.log += lines
        it.consumed += entries
        it.history += events
        it.given += wanted
        it.status = it.held.status
        ended = it.status != "RUNNING" and any(isinstance(x, commands.Finish) for x in wanted)
        if ended and it.status == "SUCCEEDED":
            it.outputs.append(it.held.output)
        if ended and it.parent is not None:
            parent, number = it.parent
            self.tell(parent, {"type": "Ended", "id": number})
        if ended:
            self.later(30, lambda: self._sweep(it))

    def _sweep(self, it: Kept) -> None:
        """Children do not outlive it, even if its holder had no time to say so."""
        for number in it.elsewhere if it.status != "RUNNING" else ():
            self._cancel(it, number)

    def _idle(self, it: Kept) -> bool:
        """It waits for nothing that its holder alone would know of."""
        if it.held is None or it.status != "RUNNING" or it.mailbox or it.held.runnable:
            return False
        return it.consumed == len(it.inbox) and all(
            isinstance(each, commands.StartTimer) or each.id in it.elsewhere
            for each in it.held.outstanding
        )

    def _park(self, it: Kept) -> None:
        assert it.held is not None
        times = [time for each in it.held.outstanding if (time := self._deadline(each))]
        self.lose(it, parked=True)
        if times:
            self.later(max(0.0, min(times) - self.now), lambda: self.take(it))

    @staticmethod
    def _deadline(request: Request) -> float | None:
        match request:
            case commands.StartTimer():
                return request.due
            case commands.RunTask():
                limits = [each for each in (request.timeout, request.heartbeat) if each is not None]
                return request.since + min(limits) if limits else None
        return None

    # -- what it is told ---------------------------------------------------------------------

    def tell(self, it: Kept, entry: dict[str, Any]) -> None:
        if it.status != "RUNNING" and entry["type"] != "Redriven":
            return
        it.inbox.append(entry)
        self.nudge(it)

    def _signal(self, it: Kept, entry: dict[str, Any]) -> Signal:
        if entry["type"] != "Ended":
            return signals.load(entry | {"time": self.clock(it)})
        child = it.elsewhere[entry["id"]]
        given: dict[str, Any] = {"time": self.clock(it), "id": entry["id"]}
        assert child is not None
        if child.status == "SUCCEEDED":
            return signals.TaskSucceeded(output=child.outputs[-1], **given)
        return signals.TaskFailed(error="States.TaskFailed", cause=child.status, **given)

    def _users(self, it: Kept) -> None:
        if it.status != "RUNNING":
            return
        if self.chance(self.faults.stop):
            self.tell(it, {"type": "Stopped", "error": "Tired"})
        if self.chance(self.faults.pause):
            self.tell(it, {"type": "Paused"})
            self.later(self.random.random() * 20, lambda: self.tell(it, {"type": "Resumed"}))
        self.later(1, lambda: self._users(it))

    def redrive(self, it: Kept) -> None:
        self.tell(it, {"type": "Redriven"})

    # -- what it asks for --------------------------------------------------------------------

    def _do(self, it: Kept, command: Command) -> None:
        match command:
            case commands.Continue():
                self.answer(it, 0, signals.Continued)
            case commands.CancelTask() | commands.CancelTimer():
                self._cancel(it, command.id)
            case commands.Finish():
                pass
            case request:
                self.ask(it, request)

    def _cancel(self, it: Kept, number: int) -> None:
        child = it.elsewhere.get(number)
        if child is not None:
            self.tell(child, {"type": "Stopped"})

    def ask(self, it: Kept, request: Request) -> None:
        """Do it, or do it again after a takeover: then it must be the same."""
        assert it.asked.setdefault(request.id, request) == request
        match request:
            case commands.StartTimer():
                seconds = max(0.0, request.due - self.clock(it))
                self.answer(it, seconds, signals.TimerFired, id=request.id)
            case commands.RunChild():
                self._child(it, request)
            case commands.RunTask():
                self._task(it, request)
            case commands.ReadItems():
                items = [{"n": number} for number in range(4)]
                self._answered(it, request, items[: request.max_items])
            case commands.WriteResults():
                self._answered(it, request, {"ResultWriterDetails": {"Bucket": "b", "Key": "k"}})

    def answer(self, it: Kept, seconds: float, kind: type[Signal], **about: Any) -> None:
        """Something its holder alone learns of: it dies with the holder."""
        epoch = it.epoch

        def come() -> None:
            if it.epoch == epoch:
                it.mailbox.append(kind(time=self.clock(it), **about))
                self.nudge(it)

        self.later(seconds, come)

    def _answered(self, it: Kept, request: Request, output: Any) -> None:
        """By success or failure, once or twice, sooner or later."""
        number = request.id
        for _ in range(1 + self.chance(self.faults.twice)):
            seconds = self.random.expovariate(0.3)
            if self.chance(self.faults.fail):
                error = self.random.choice(("Boom", "Other", None))
                self.answer(it, seconds, signals.TaskFailed, id=number, error=error)
            else:
                self.answer(it, seconds, signals.TaskSucceeded, id=number, output=output)

    def _child(self, it: Kept, request: commands.RunChild) -> None:
        if request.id not in it.elsewhere:
            state = it.definition.states[request.state]
            it.elsewhere[request.id] = self.start(
                it.definition,
                request.input,
                machine=state.processor,  # type: ignore[union-attr]
                name=f"{it.name}/{request.id}",
                parent=(it, request.id),
            )

    def _task(self, it: Kept, request: commands.RunTask) -> None:
        if self.faults.late:
            self._limit(it, request, request.timeout)
            if self.chance(self.faults.late):
                self._limit(it, request, request.heartbeat, heartbeat=True)
        output = self.random.choice(self.outputs)
        waits = request.resource.pattern is not Pattern.REQUEST
        if waits or self.random.random() < 0.3:
            if waits:
                self.answer(it, 0, signals.TaskSubmitted, id=request.id, output={"sent": True})
            if request.id not in it.elsewhere:
                it.elsewhere[request.id] = None
                self._elsewhere(it, request, output)
        elif not (request.timeout and self.chance(self.faults.late)):
            self._answered(it, request, output)

    def _limit(
        self, it: Kept, request: commands.RunTask, limit: int | None, heartbeat: bool = False
    ) -> None:
        if limit is not None:
            seconds = max(0.0, request.since + limit - self.clock(it))
            about = {"id": request.id, "heartbeat": heartbeat}
            self.answer(it, seconds, signals.TaskTimedOut, **about)

    def _elsewhere(self, it: Kept, request: commands.RunTask, output: Any) -> None:
        """Its answer comes to the inbox, so nobody has to be there."""
        if request.timeout and self.chance(self.faults.late):
            return
        entry: dict[str, Any] = {"type": "TaskSucceeded", "id": request.id, "output": output}
        if self.chance(self.faults.fail):
            entry = {"type": "TaskFailed", "id": request.id, "error": "Boom"}
        for _ in range(1 + self.chance(self.faults.twice)):
            self.later(self.random.expovariate(0.3), lambda: self.tell(it, entry))
