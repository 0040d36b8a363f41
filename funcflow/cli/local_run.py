"""Runs a composition here and now: performs what the interpreter asks for, in real time.

Used by ``funcflow composition run-local``. One thread, that of the caller, gives signals to
the interpreter; functions run in a few threads beside it. Nothing is kept: what the process
does not live to see has not happened.
"""

from __future__ import annotations

import heapq
import itertools
import queue
import secrets
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from funcflow import errors
from funcflow.cli.local_functions import Call
from funcflow.compositions import commands, signals, writers
from funcflow.compositions.advance import advance
from funcflow.compositions.commands import Command
from funcflow.compositions.definition import Definition, Map, Type
from funcflow.compositions.events import Event
from funcflow.compositions.execution import RUNNING, Execution
from funcflow.compositions.resources import Pattern
from funcflow.compositions.signals import Signal
from funcflow.compositions.work import CallFunction

#: Functions that run at once.
CONCURRENCY = 8


class NotLocal(errors.BadRequest):
    """The composition asks for what only a server has."""

    hint = "Try this state alone with `funcflow composition test-state` and --mock."


class Functions(Protocol):
    """Who runs functions; :class:`~funcflow.cli.local_functions.LocalFunctions`."""

    def answer(self, call: Call, number: int, now: Callable[[], float]) -> Signal:
        """Called in any thread."""


#: Called with each event and the name of the execution it is of: "" for the outermost.
Follow = Callable[[str, Event], None]


@dataclass(eq=False)
class _Run:
    execution: Execution
    name: str
    #: The run that waits for the end of this one, and its command.
    parent: _Run | None = None
    number: int = 0
    #: Commands under way, to be taken back.
    calls: dict[int, tuple[Call, Future[None]]] = field(default_factory=dict)
    children: dict[int, _Run] = field(default_factory=dict)


class LocalRun:
    """Runs compositions one after the other."""

    def __init__(
        self, functions: Functions, follow: Follow, now: Callable[[], float] = time.time
    ) -> None:
        self._functions = functions
        self._follow = follow
        self._now = now
        self._arrived: queue.Queue[tuple[_Run, Signal]] = queue.Queue()
        #: (when, order, whose, number of the command, whether it is a task's time that is up)
        self._due: list[tuple[float, int, _Run, int, bool]] = []
        self._order = itertools.count()

    def run(self, definition: Definition, input: object) -> Execution:
        """Run an execution to its end, however long that takes.

        :raises NotLocal: a state was reached that needs a server
        """
        top = _Run(Execution(definition), "")
        with ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="function") as self._threads:
            try:
                self._start(top, input)
                while top.execution.status == RUNNING:
                    self._next()
            finally:
                self._take_back(top)
        return top.execution

    def _start(self, run: _Run, input: object) -> None:
        name = run.name or "local"
        machine = "arn:aws:states:local:000000000000:stateMachine:local"
        context = {
            "Execution": {
                "Id": f"{machine.replace(':stateMachine:', ':execution:')}:{name}",
                "Name": name,
                "RoleArn": "",
                "RedriveCount": 0,
            },
            "StateMachine": {"Id": machine, "Name": "local"},
        }
        seed = secrets.token_hex(16)
        self._send(run, signals.Started(time=self._now(), input=input, context=context, seed=seed))

    def _next(self) -> None:
        """Take the next signal: one that arrived, or one that is due."""
        rest = max(0.0, self._due[0][0] - self._now()) if self._due else None
        try:
            run, signal = self._arrived.get(timeout=rest)
        except queue.Empty:
            if self._due[0][0] > self._now():
                return
            _, _, run, number, late = heapq.heappop(self._due)
            kind = signals.TaskTimedOut if late else signals.TimerFired
            signal = kind(time=self._now(), id=number)
            if late:
                self._cancel(run, number)
        self._send(run, signal)

    def _send(self, run: _Run, signal: Signal) -> None:
        run.calls.pop(getattr(signal, "id", 0), None)
        wanted, happened = advance(run.execution, signal)
        for event in happened:
            self._follow(run.name, event)
        for command in wanted:
            self._perform(run, command)

    def _perform(self, run: _Run, command: Command) -> None:
        number = getattr(command, "id", 0)
        match command:
            case commands.RunTask():
                self._call(run, command)
            case commands.StartTimer(due=due):
                heapq.heappush(self._due, (due, next(self._order), run, number, False))
            case commands.CancelTask():
                self._cancel(run, number)
            case commands.CancelTimer():
                self._forget(run, number)
            case commands.RunChild():
                self._run_child(run, command)
            case commands.ReadItems():
                raise NotLocal(f"State {command.state!r} reads its items from an object store")
            case commands.WriteResults():
                self._write(run, command)
            case commands.Continue():
                self._arrived.put((run, signals.Continued(time=self._now())))
            case commands.Finish():
                self._finished(run)

    def _forget(self, run: _Run, number: int | None = None) -> None:
        """Take back what is due for one command of a run, or for all."""
        self._due = [
            each for each in self._due if each[2] is not run or number not in (None, each[3])
        ]
        heapq.heapify(self._due)

    # Functions

    def _call(self, run: _Run, command: commands.RunTask) -> None:
        number = command.id
        wanted = command.work
        if command.resource.pattern is Pattern.TOKEN:
            raise NotLocal(f"State {command.state!r} waits for a task token to be sent back")
        if not isinstance(wanted, CallFunction):
            raise NotLocal(f"State {command.state!r} runs {command.resource.text}, not a function")
        call = Call(wanted.name, wanted.payload)
        if command.timeout is not None:
            due = self._now() + command.timeout
            heapq.heappush(self._due, (due, next(self._order), run, number, True))

        def work() -> None:
            if not call.cancelled:
                answer = self._functions.answer(call, number, self._now)
                self._arrived.put((run, answer))

        run.calls[number] = (call, self._threads.submit(work))
        if wanted.detached:
            del run.calls[number]
            done = signals.TaskSucceeded(time=self._now(), id=number)
            self._arrived.put((run, done))

    def _cancel(self, run: _Run, number: int) -> None:
        if (child := run.children.pop(number, None)) is not None:
            child.parent = None
            self._send(child, signals.Stopped(time=self._now()))
        if (under_way := run.calls.pop(number, None)) is not None:
            call, future = under_way
            future.cancel()
            call.cancel()

    def _take_back(self, run: _Run) -> None:
        """Nobody is interested in this run any more."""
        for number in [*run.calls, *run.children]:
            self._cancel(run, number)
        self._forget(run)

    # Distributed Map

    def _run_child(self, run: _Run, command: commands.RunChild) -> None:
        state = run.execution.definition.states[command.state]
        assert isinstance(state, Map)
        type_: Type = "EXPRESS" if command.type == "EXPRESS" else "STANDARD"
        execution = Execution(run.execution.definition, state.processor, type_)
        name = f"{run.name}{'/' if run.name else ''}{command.state}[{command.index}]"
        child = _Run(execution, name, run, command.id)
        run.children[command.id] = child
        self._start(child, command.input)

    def _finished(self, run: _Run) -> None:
        self._take_back(run)
        if run.parent is None:
            return
        run.parent.children.pop(run.number, None)
        ended = run.execution
        answer: Signal
        if ended.status == "SUCCEEDED":
            answer = signals.TaskSucceeded(time=self._now(), id=run.number, output=ended.output)
        else:
            answer = signals.TaskFailed(
                time=self._now(), id=run.number, error=ended.error, cause=ended.cause
            )
        self._arrived.put((run.parent, answer))

    def _write(self, run: _Run, command: commands.WriteResults) -> None:
        if command.writer.action:
            raise NotLocal(f"State {command.state!r} writes its results to an object store")
        output = writers.inline(command.writer, command.results)
        done = signals.TaskSucceeded(time=self._now(), id=command.id, output=output)
        self._arrived.put((run, done))
