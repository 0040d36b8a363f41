"""The interpreter: ``advance(execution, signal)`` gives commands and history events.

Pure and deterministic: an execution's state is the fold of its signals, and the same
signals give the same commands and events. Called by whoever keeps the log of signals, and
by the runners of tests and of the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from funcflow.compositions import events, failures, handling, signals
from funcflow.compositions import states_distributed as distributed
from funcflow.compositions import states_group as groups
from funcflow.compositions import states_simple as simple
from funcflow.compositions import states_task as tasks
from funcflow.compositions.commands import (
    CancelTask,
    CancelTimer,
    Command,
    Continue,
    Finish,
    Request,
    RunTask,
    StartTimer,
)
from funcflow.compositions.definition import Machine, Map
from funcflow.compositions.events import HISTORY_LIMIT, Event, Type
from funcflow.compositions.execution import (
    ABORTED,
    FAILED,
    RUNNING,
    SUCCEEDED,
    TIMED_OUT,
    Execution,
    Frame,
)
from funcflow.compositions.failures import Failure
from funcflow.compositions.signals import Signal
from funcflow.compositions.step import HistoryFull, Step, failure_of

_ENDINGS: Final = {
    SUCCEEDED: Type.ExecutionSucceeded,
    FAILED: Type.ExecutionFailed,
    TIMED_OUT: Type.ExecutionTimedOut,
    ABORTED: Type.ExecutionAborted,
}


def advance(
    execution: Execution, signal: Signal, enough: Callable[[], bool] | None = None
) -> tuple[list[Command], list[Event]]:
    """Take one signal, changing ``execution``; what is to be done and what happened.

    ``enough`` is asked after each state whether to leave the rest for later: one evaluation
    of an expression may take a second, and somebody may want to stop the execution. If it
    says so, the last command is Continue, whose ``states`` belong into the log.

    Never raises for what definitions, inputs or answers contain. A signal that does not
    fit (an answer nobody waits for, anything after the end) changes nothing.
    """
    if not _fits(execution, signal):
        return [], []
    if isinstance(signal, signals.Started):
        execution.seed = signal.seed
        execution.machine = execution.machine or execution.definition.machine
        execution.type = execution.type or execution.definition.type
        if signal.payload is not None:
            execution.bounds = replace(execution.bounds, payload=signal.payload)
    execution.sequence += 1
    execution.time = max(execution.time, signal.time)
    step = Step(execution, execution.time)
    try:
        _take(step, signal)
        _run(step, signal.states or execution.bounds.states, enough)
    except HistoryFull:
        cause = f"The execution reached the maximum number of history events ({HISTORY_LIMIT})."
        _conclude(step, FAILED, error=failures.RUNTIME, cause=cause)
    return step.commands, step.events


def replay(execution: Execution, log: Iterable[Signal]) -> list[Event]:
    """Fold a whole log; the history. What is left to do is ``execution.outstanding``."""
    return [event for signal in log for event in advance(execution, signal)[1]]


def _fits(execution: Execution, signal: Signal) -> bool:
    match signal:
        case signals.Started():
            return execution.sequence == 0
        case signals.Redriven():
            return execution.status in (FAILED, TIMED_OUT, ABORTED) and execution.sequence > 0
    if execution.status != RUNNING or execution.sequence == 0:
        return False
    number = getattr(signal, "id", None)
    return number is None or number in execution.waiting


def _take(step: Step, signal: Signal) -> None:
    execution = step.execution
    match signal:
        case signals.Started():
            _start(step, signal)
        case signals.Continued():
            pass
        case signals.Paused():
            execution.paused = True
        case signals.Resumed():
            execution.paused = False
        case signals.Stopped():
            _conclude(step, ABORTED, error=signal.error, cause=signal.cause)
        case signals.Redriven():
            _redrive(step)
        case signals.TaskSubmitted():
            request, frame = execution.waiting[signal.id]
            if isinstance(request, RunTask) and frame is not None:
                tasks.submitted(step, frame, request, signal)
        case _:
            _answer(step, signal)


def _answer(step: Step, signal: Signal) -> None:
    """A request was answered: the thread that waited goes on."""
    number: int = signal.id  # type: ignore[attr-defined]
    request, frame = step.execution.waiting[number]
    if isinstance(signal, signals.TimerFired) != isinstance(request, StartTimer):
        return
    del step.execution.waiting[number]
    if frame is None:
        _conclude(step, TIMED_OUT)
        return
    frame.requests.discard(number)
    try:
        _handle(step, frame, request, signal)
    except HistoryFull:
        raise
    except Exception as error:
        _settle(step, frame, failure_of(error))
        return
    if frame.over:
        _settle(step, frame, None)


def _handle(step: Step, frame: Frame, request: Request, signal: Signal) -> None:
    match signal:
        case signals.TimerFired() if frame.retrying:
            frame.retrying = False
            step.execution.ready.append(frame)
        case signals.TimerFired():
            simple.waited(step, frame)
        case signals.TaskSucceeded() if isinstance(request, RunTask):
            tasks.succeeded(step, frame, request, signal)
        case signals.TaskFailed() if isinstance(request, RunTask):
            tasks.failed(step, frame, request, signal)
        case signals.TaskTimedOut() if isinstance(request, RunTask):
            tasks.timed_out(step, frame, request, signal)
        case signals.TaskSucceeded() | signals.TaskFailed() | signals.TaskTimedOut():
            distributed.answered(step, frame, request, signal)


def _run(step: Step, most: int, enough: Callable[[], bool] | None) -> None:
    """Let threads go on until all wait, or it is time for others."""
    execution = step.execution
    ready = execution.ready
    done = 0
    while ready and execution.status == RUNNING and not execution.paused:
        if done == most or (done and enough is not None and enough()):
            step.commands.append(Continue(done))
            return
        done += 1
        frame = ready.popleft()
        if not frame.over:
            _visit(step, frame)


def _visit(step: Step, frame: Frame) -> None:
    """Enter the state of a thread (unless it is in already) and do what it says."""
    try:
        if frame.entered == 0:
            step.enter(frame)
        RUN[frame.state.type](step, frame)
    except HistoryFull:
        raise
    except Exception as error:
        _settle(step, frame, failure_of(error))
        return
    if frame.over:
        _settle(step, frame, None)


def _settle(step: Step, frame: Frame, failure: Failure | None) -> None:
    """A thread failed or ended: tell the thread it belongs to, up to the top."""
    while True:
        if failure is not None:
            outcome = handling.handle(step, frame, failure)
            if outcome is None:
                return
            if frame.parent is None:
                _conclude(step, FAILED, error=outcome.error, cause=outcome.cause)
                return
            groups.thread_failed(step, frame)
            failure = tasks.TaskFailure(outcome.error, outcome.cause, outcome.also)
            frame = frame.parent.owner
            continue
        if frame.parent is None:
            _conclude(step, SUCCEEDED, output=frame.input)
            return
        owner = frame.parent.owner
        try:
            groups.thread_ended(step, frame)
        except HistoryFull:
            raise
        except Exception as error:
            failure = failure_of(error)
        frame = owner
        if failure is None and not frame.over:
            return


def _start(step: Step, signal: signals.Started) -> None:
    execution = step.execution
    machine = execution.machine
    assert machine is not None
    about: Mapping[str, Any] = signal.context.get("Execution", {})
    execution.context = {
        **signal.context,
        "Execution": {"Input": signal.input, "StartTime": step.now_text, **about},
    }
    step.emit(0, Type.ExecutionStarted, events.Input(signal.input, signal.role_arn))
    _limit(step, machine)
    root = Frame(machine, machine.states[machine.start_at], signal.input)
    execution.root = root
    execution.ready.append(root)


def _limit(step: Step, machine: Machine) -> None:
    """Start the timer of the whole execution, if it has a limit."""
    seconds: float | None = machine.timeout
    if step.execution.type == "EXPRESS":
        longest = step.execution.bounds.express
        seconds = longest if seconds is None else min(seconds, longest)
    if seconds is not None:
        due = step.now + seconds
        step.request(None, lambda number: StartTimer(number, due))


def _conclude(
    step: Step,
    status: str,
    output: Any = None,
    error: str | None = None,
    cause: str | None = None,
) -> None:
    """The execution is over: take back what is outstanding, say how it ended."""
    execution = step.execution
    execution.status = status
    execution.output, execution.error, execution.cause = output, error, cause
    for number, (request, frame) in execution.waiting.items():
        kind = CancelTimer if isinstance(request, StartTimer) else CancelTask
        step.commands.append(kind(number))
        if frame is not None:
            frame.requests.discard(number)
    execution.waiting.clear()
    execution.ready.clear()
    execution.paused = False
    details: events.Details = events.Error(error, cause)
    if status == SUCCEEDED:
        details = events.Output(output)
    previous = execution.root.previous if execution.root else execution.last_event
    step.emit(previous, _ENDINGS[status], details)
    step.commands.append(Finish(status, output, error, cause))


def _redrive(step: Step) -> None:
    execution = step.execution
    root, machine = execution.root, execution.machine
    assert root is not None
    assert machine is not None
    execution.status = RUNNING
    execution.output = execution.error = execution.cause = None
    execution.redrives += 1
    execution.context["Execution"] = {
        **execution.context["Execution"],
        "RedriveCount": execution.redrives,
        "RedriveTime": step.now_text,
    }
    root.previous = step.emit(
        execution.last_event, Type.ExecutionRedriven, events.Redriven(execution.redrives)
    )
    _limit(step, machine)
    _revive(step, root)


def _revive(step: Step, frame: Frame) -> None:
    """Let a thread go on in the state where it was, and so all threads below it."""
    frame.over = frame.retrying = False
    frame.attempt, frame.retries = 0, None
    frame.requests.clear()
    frame.previous = step.execution.last_event
    group = frame.group
    if group is not None and group.run is None:
        for child in list(group.frames.values()):
            _revive(step, child)
    step.execution.ready.append(frame)


def _run_map(step: Step, frame: Frame) -> None:
    state = frame.state
    assert isinstance(state, Map)
    if state.distributed:
        distributed.run_distributed(step, frame)
    else:
        groups.run_map(step, frame)


def _run_fail(step: Step, frame: Frame) -> None:
    raise handling.asked_failure(step, frame)


#: What each type of state does once it is entered.
RUN: Final[Mapping[str, Callable[[Step, Frame], None]]] = {
    "Task": tasks.run_task,
    "Pass": simple.run_pass,
    "Wait": simple.run_wait,
    "Choice": simple.run_choice,
    "Succeed": simple.run_succeed,
    "Fail": _run_fail,
    "Parallel": groups.run_parallel,
    "Map": _run_map,
}
