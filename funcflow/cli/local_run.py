"""Runs compositions here and now: performs what the interpreter asks for, in real time.

Used by ``funcflow composition run-local``. One thread, that of the caller, gives signals to
the interpreter; functions and calls run in a few threads beside it. Nothing is kept: what the
process does not live to see has not happened.
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

from funcflow import answers
from funcflow.cli import local_nested as nested
from funcflow.cli.local_people import People, Question
from funcflow.cli.local_work import Around, Job, NotLocal, job_of
from funcflow.compositions import commands, signals
from funcflow.compositions.advance import advance
from funcflow.compositions.commands import Command, Request
from funcflow.compositions.definition import Definition, Map, Type
from funcflow.compositions.events import Event
from funcflow.compositions.execution import RUNNING, Execution
from funcflow.compositions.failures import Failure
from funcflow.compositions.resources import Kind, Pattern
from funcflow.compositions.signals import Signal
from funcflow.compositions.work import AskHuman, CallFunction, CallService, Poll, StartComposition
from funcflow.conductor.compositions import services

#: Functions and calls that run at once.
CONCURRENCY = 8
#: Executions that may be nested in each other.
DEPTH = 32

#: Makes the signal of a time that has come.
_Due = Callable[[float, int], Signal]


def _fired(at: float, number: int) -> Signal:
    return signals.TimerFired(time=at, id=number)


def _late(at: float, number: int) -> Signal:
    return signals.TaskTimedOut(time=at, id=number)


def _silent(at: float, number: int) -> Signal:
    return signals.TaskTimedOut(time=at, id=number, heartbeat=True)


#: Called with each event and the name of the execution it is of: "" for the outermost.
Follow = Callable[[str, Event], None]


@dataclass(eq=False)
class _Run:
    execution: Execution
    name: str
    #: The run that waits for the end of this one, and its command.
    parent: _Run | None = None
    command: commands.RunChild | commands.RunTask | None = None
    about: nested.About = field(default_factory=nested.About)
    #: Commands under way, to be taken back.
    jobs: dict[int, tuple[Job, Future[None]]] = field(default_factory=dict)
    children: dict[int, _Run] = field(default_factory=dict)
    questions: dict[int, Question] = field(default_factory=dict)


class LocalRun:
    """Runs compositions one after the other."""

    def __init__(
        self,
        around: Around,
        follow: Follow,
        people: People | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._around = around
        self._follow = follow
        self._people = people
        self._now = now
        self._arrived: queue.Queue[tuple[_Run, Signal | NotLocal]] = queue.Queue()
        #: (when, order, whose, number of the command, what is due)
        self._due: list[tuple[float, int, _Run, int, _Due]] = []
        self._order = itertools.count()
        #: Started by others, and not waited for.
        self._detached: list[_Run] = []

    def run(self, definition: Definition, input: object) -> Execution:
        """Run an execution to its end, however long that takes, and all that it started.

        :raises NotLocal: a state was reached that needs what is not there
        """
        top = _Run(Execution(definition), "")
        with ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="work") as self._threads:
            try:
                self._start(top, input)
                while any(run.execution.status == RUNNING for run in (top, *self._detached)):
                    self._next()
            finally:
                for run in (top, *self._detached):
                    self._take_back(run)
        return top.execution

    def _start(self, run: _Run, input: object) -> None:
        started = signals.Started(
            time=self._now(),
            input=input,
            context=run.about.context(),
            seed=secrets.token_hex(16),
        )
        self._send(run, started)

    def _next(self) -> None:
        """Take the next signal: one that arrived, or one that is due."""
        rest = max(0.0, self._due[0][0] - self._now()) if self._due else None
        try:
            run, signal = self._arrived.get(timeout=rest)
        except queue.Empty:
            if self._due[0][0] > self._now():
                return
            _, _, run, number, due = heapq.heappop(self._due)
            signal = due(self._now(), number)
            if isinstance(signal, signals.TaskTimedOut):
                self._cancel(run, number)
        if isinstance(signal, NotLocal):
            raise signal
        self._send(run, signal)

    def _send(self, run: _Run, signal: Signal) -> None:
        number = getattr(signal, "id", 0)
        run.jobs.pop(number, None)
        if not isinstance(signal, signals.TaskSubmitted):
            run.questions.pop(number, None)
        wanted, happened = advance(run.execution, signal)
        for event in happened:
            self._follow(run.name, event)
        for command in wanted:
            self._perform(run, command)
        if isinstance(signal, signals.TaskSubmitted):
            self._ask(run, number)

    def _perform(self, run: _Run, command: Command) -> None:
        number = getattr(command, "id", 0)
        match command:
            case commands.RunTask():
                self._task(run, command)
            case commands.ReadItems() | commands.WriteResults():
                self._work(run, command)
            case commands.RunChild():
                self._run_child(run, command)
            case commands.StartTimer(due=due):
                self._at(due, run, number, _fired)
            case commands.CancelTask():
                self._cancel(run, number)
            case commands.CancelTimer():
                self._forget(run, number)
            case commands.Continue():
                self._arrived.put((run, signals.Continued(time=self._now())))
            case commands.Finish():
                self._finished(run)

    # Times

    def _at(self, when: float, run: _Run, number: int, due: _Due) -> None:
        heapq.heappush(self._due, (when, next(self._order), run, number, due))

    def _forget(self, run: _Run, number: int | None = None) -> None:
        """Take back what is due for one command of a run, or for all."""
        self._due = [
            each for each in self._due if each[2] is not run or number not in (None, each[3])
        ]
        heapq.heapify(self._due)

    # Tasks

    def _task(self, run: _Run, command: commands.RunTask) -> None:
        if command.timeout is not None:
            self._at(command.since + command.timeout, run, command.id, _late)
        if command.heartbeat is not None:
            self._at(command.since + command.heartbeat, run, command.id, _silent)
        match command.work:
            case StartComposition():
                self._nested(run, command, command.work)
            case AskHuman() | Poll():
                self._answer(run, signals.TaskSubmitted(time=self._now(), id=command.id))
            case CallService():
                self._answer(run, services.refused(self._now(), command))
            case _:
                self._work(run, command)

    def _work(
        self, run: _Run, command: commands.RunTask | commands.ReadItems | commands.WriteResults
    ) -> None:
        """Have it done by one of the threads."""
        try:
            job = job_of(self._around, command)
        except Failure as failure:
            self._answer(run, answers.failed(self._now(), command, failure))
            return
        cancelled = Future[None]()

        def work() -> None:
            if not cancelled.done():
                self._arrived.put((run, self._submitted(command, job.answer(self._now))))

        run.jobs[command.id] = (job, cancelled)
        self._threads.submit(work)
        asked = getattr(command, "work", None)
        if isinstance(asked, CallFunction) and asked.detached:
            del run.jobs[command.id]
            self._answer(run, signals.TaskSucceeded(time=self._now(), id=command.id))

    def _submitted(self, command: Request, answer: Signal) -> Signal:
        """Of a task that waits for its token the work's end is only the beginning."""
        waits = isinstance(command, commands.RunTask) and _asks(command)
        if waits and isinstance(answer, signals.TaskSucceeded):
            return signals.TaskSubmitted(time=answer.time, id=answer.id, output=answer.output)
        return answer

    def _ask(self, run: _Run, number: int) -> None:
        """A task waits; if for its token, somebody is asked."""
        waiting = run.execution.waiting.get(number)
        task = waiting and waiting[0]
        if not isinstance(task, commands.RunTask) or not _asks(task):
            return
        name = "/".join(filter(None, (run.name, task.state)))
        if self._people is None:
            raise NotLocal(f"State {name!r} waits for somebody, and nobody is there")

        def answered(signal: Signal | None) -> None:
            nobody = NotLocal(f"State {name!r} waits for somebody, and the input has ended")
            self._arrived.put((run, signal or nobody))

        question = Question(name, task, answered)
        run.questions[number] = question
        self._people.ask(question)

    def _answer(self, run: _Run, signal: Signal) -> None:
        self._arrived.put((run, signal))

    def _cancel(self, run: _Run, number: int) -> None:
        self._forget(run, number)
        if (child := run.children.pop(number, None)) is not None:
            child.parent = None
            self._send(child, signals.Stopped(time=self._now()))
        if (under_way := run.jobs.pop(number, None)) is not None:
            job, cancelled = under_way
            cancelled.set_result(None)
            job.cancel()
        if (question := run.questions.pop(number, None)) is not None and self._people is not None:
            self._people.withdraw(question)

    def _take_back(self, run: _Run) -> None:
        """Nobody is interested in this run any more."""
        for number in [*run.jobs, *run.children, *run.questions]:
            self._cancel(run, number)
        self._forget(run)

    # Executions inside executions

    def _run_child(self, run: _Run, command: commands.RunChild) -> None:
        state = run.execution.definition.states[command.state]
        assert isinstance(state, Map)
        type_: Type = "EXPRESS" if command.type == "EXPRESS" else "STANDARD"
        execution = Execution(run.execution.definition, state.processor, type_)
        name = f"{run.name}{'/' if run.name else ''}{command.state}[{command.index}]"
        inner = nested.About(command.state, name, depth=run.about.depth, names=run.about.names)
        child = _Run(execution, name, run, command, inner)
        run.children[command.id] = child
        self._start(child, command.input)

    def _nested(self, run: _Run, command: commands.RunTask, asked: StartComposition) -> None:
        known = self._around.compositions
        try:
            about = nested.about(known, asked, run.about, self._now(), DEPTH)
        except Failure as failure:
            self._answer(run, answers.refused(self._now(), command, failure))
            return
        name = "/".join(filter(None, (run.name, command.state)))
        waits = asked.wait in (Pattern.SYNC, Pattern.SYNC2)
        execution = Execution(known[about.composition])
        child = _Run(execution, name, run if waits else None, command, about)
        if waits:
            run.children[command.id] = child
        else:
            self._detached.append(child)
        asks = asked.wait is not Pattern.REQUEST
        kind = signals.TaskSubmitted if asks else signals.TaskSucceeded
        done = kind(time=self._now(), id=command.id, output=about.started())
        self._answer(run, done)
        self._start(child, asked.input)

    def _finished(self, run: _Run) -> None:
        self._take_back(run)
        parent, command, ended = run.parent, run.command, run.execution
        if parent is None or command is None:
            return
        parent.children.pop(command.id, None)
        answer: Signal
        if isinstance(command, commands.RunTask):
            answer = run.about.ended(self._now(), command, ended)
        elif ended.status == "SUCCEEDED":
            answer = signals.TaskSucceeded(time=self._now(), id=command.id, output=ended.output)
        else:
            answer = signals.TaskFailed(
                time=self._now(), id=command.id, error=ended.error, cause=ended.cause
            )
        self._answer(parent, answer)


def _asks(task: commands.RunTask) -> bool:
    """Does it wait for whoever has its token?"""
    return task.resource.pattern is Pattern.TOKEN or task.resource.kind is Kind.ACTIVITY
