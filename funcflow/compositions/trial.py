"""One state alone: input in, output and next state out, with what happened between.

Called by the API's and the command line's test-state. A Task without a mock leaves a
request, whose answer ends the trial; the others end at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from funcflow.compositions import failures, handling, settings, signals, trial_mocks
from funcflow.compositions import states_simple as simple
from funcflow.compositions import states_task as tasks
from funcflow.compositions.advance import RUN
from funcflow.compositions.commands import RunTask, StartTimer
from funcflow.compositions.definition import (
    AnyState,
    Definition,
    Machine,
    Map,
    Parallel,
    Pass,
    Task,
)
from funcflow.compositions.execution import FAILED, SUCCEEDED, Execution, Frame
from funcflow.compositions.expressions.base import MISSING, Value
from funcflow.compositions.failures import Failure
from funcflow.compositions.states_distributed import EXCEEDED
from funcflow.compositions.states_task import TaskFailure
from funcflow.compositions.step import Step, failure_of
from funcflow.compositions.trial_inspection import after, before

RETRIABLE = "RETRIABLE"
CAUGHT = "CAUGHT_ERROR"


class BadTrial(ValueError):
    """The trial asks for what cannot be; the message is AWS's where AWS has one."""


@dataclass(frozen=True, slots=True)
class Mock:
    """The result of the state's work, or its failure; one of the two."""

    result: Value = MISSING
    failed: bool = False
    error: str | None = None
    cause: str | None = None
    #: How closely ``result`` is compared with what the service would answer.
    validation: trial_mocks.Mode = "STRICT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is asked for."""

    state: AnyState
    input: Value = None
    variables: Mapping[str, Value] = field(default_factory=dict)
    #: The whole context object; None: one is made of ``around`` and the state.
    context: Mapping[str, Value] | None = None
    #: Execution and StateMachine of the context, as in signals.Started.
    around: Mapping[str, Value] = field(default_factory=dict)
    mock: Mock | None = None
    #: Retries already done.
    retry_count: int = 0
    #: Map: iterations that failed, None: not said.
    failed_iterations: int | None = None
    #: Map: what its ItemReader is taken to have read.
    items: Value = MISSING
    #: Map, Parallel: the state inside whose failure the mock is.
    caused_by: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """``inspection`` has AWS's names: input, afterInputPath, …, errorDetails."""

    status: str
    output: Value = MISSING
    error: str | None = None
    cause: str | None = None
    next_state: str | None = None
    inspection: Mapping[str, Value] = field(default_factory=dict)
    variables: Mapping[str, Value] = field(default_factory=dict)

    def wire(self, *, inspect: bool) -> dict[str, Value]:
        """As API and command line show it; what there is not is left out."""
        answer: dict[str, Value] = {"status": self.status}
        if self.output is not MISSING:
            answer["output"] = self.output
        named = (("error", self.error), ("cause", self.cause), ("next_state", self.next_state))
        answer |= {name: value for name, value in named if value is not None}
        if self.variables:
            answer["variables"] = dict(self.variables)
        if inspect:
            answer["inspection_data"] = dict(self.inspection)
        return answer


class _Anywhere(Mapping[str, AnyState]):
    """The states of a machine of which only one is known: any target will do."""

    def __getitem__(self, name: str) -> AnyState:
        return Pass(name=name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class _TrialStep(Step):
    given: Mapping[str, Value] | None = None

    def context(self, frame: Frame) -> dict[str, Value]:
        return super().context(frame) if self.given is None else dict(self.given)


class Attempt:
    """A trial at work: ``request`` or ``result`` is set."""

    def __init__(self, trial: Trial, now: float, seed: str = "0") -> None:
        _check(trial)
        self._trial = trial
        machine = Machine(trial.state.name, _Anywhere())
        execution = Execution(Definition(machine, "EXPRESS"), seed=seed, type="EXPRESS")
        self._step = _TrialStep(execution, now)
        self._step.given = trial.context
        about: Mapping[str, Value] = trial.around.get("Execution", {})
        started = {"Input": trial.input, "StartTime": self._step.now_text, **about}
        execution.context = {**trial.around, "Execution": started}
        frame = Frame(machine, trial.state, trial.input, None, dict(trial.variables))
        self._frame = frame
        self._step.enter(frame)
        frame.attempt = trial.retry_count
        frame.retries = dict.fromkeys(range(len(trial.state.retry)), trial.retry_count)
        self._inspection: dict[str, Value] = {}
        self.request: RunTask | None = None
        self.result: Result | None = None
        self._guarded(self._run)

    def answer(self, signal: signals.Signal) -> None:
        """The answer to ``request``, as :func:`advance` gets it."""
        request = self.request
        assert request is not None
        self.request = None
        self._frame.requests.clear()
        match signal:
            case signals.TaskSucceeded():
                output = tasks.result_of(request, signal.output)
                self._guarded(lambda: self._finish(output))
            case signals.TaskFailed():
                self._settle(TaskFailure(signal.error, signal.cause))
            case _:
                self._settle(TaskFailure(failures.TIMEOUT, None))

    def _guarded(self, work: Any) -> None:
        try:
            work()
        except Exception as error:
            self._settle(failure_of(error))
        else:
            if self.request is None:
                self._settle(None)

    def _run(self) -> None:
        trial, step, frame = self._trial, self._step, self._frame
        before(step, frame, trial.items, self._inspection)
        if trial.mock is not None:
            self._mocked(trial.mock)
            return
        RUN[trial.state.type](step, frame)
        if isinstance(trial.state, Pass):
            after(step, trial.state, trial.input, None, self._inspection, frame)
        for command in step.commands:
            if isinstance(command, RunTask):
                self.request = command
            elif isinstance(command, StartTimer):
                # Nobody waits for the end of a Wait that is only tried.
                frame.requests.clear()
                simple.waited(step, frame)

    def _mocked(self, mock: Mock) -> None:
        state = self._trial.state
        if mock.failed:
            raise TaskFailure(mock.error, mock.cause)
        if isinstance(state, Map) and self._trial.failed_iterations:
            self._count_failures(state, self._trial.failed_iterations, len(mock.result))
        self._finish(mock.result)

    def _count_failures(self, state: Map, failed: int, total: int) -> None:
        step, frame = self._step, self._frame
        scope = step.scope(frame, step.effective_input(frame))
        count = settings.count(state.tolerated_failure_count, scope)
        share = settings.percentage(state.tolerated_failure_percentage, scope)
        too_many = count is not None and failed > count
        if too_many or (share is not None and failed * 100 > share * total):
            raise TaskFailure(failures.TOLERATED, EXCEEDED)

    def _finish(self, result: Value) -> None:
        step, frame, state = self._step, self._frame, self._trial.state
        after(step, state, self._trial.input, result, self._inspection, frame)
        step.finish(frame, result)

    def _settle(self, failure: Failure | None) -> None:
        frame = self._frame
        if failure is None:
            target = None if frame.over else frame.state.name
            self._end(Result(SUCCEEDED, frame.input, next_state=target))
            return
        if not isinstance(failure, TaskFailure):
            failure = TaskFailure(failure.error, failure.cause)
        state = self._trial.state
        ending = handling.handle(self._step, frame, failure)
        known = ending or handling.Ending(failure.given_error, failure.given_cause, failure.also)
        details = _details(state, known)
        said: dict[str, Any] = {"error": known.error, "cause": known.cause}
        if frame.retrying:
            timer = self._step.commands[-1]
            assert isinstance(timer, StartTimer)
            seconds = timer.due - self._step.now
            details["retryBackoffIntervalSeconds"] = (
                int(seconds) if seconds == int(seconds) else seconds
            )
            details.pop("catchIndex", None)
            result = Result(RETRIABLE, **said)
        elif ending is None:
            details.pop("retryIndex", None)
            result = Result(CAUGHT, frame.input, next_state=frame.state.name, **said)
        else:
            details.pop("catchIndex", None)
            result = Result(FAILED, **said)
        if details:
            self._inspection["errorDetails"] = details
        self._end(result)

    def _end(self, result: Result) -> None:
        self.result = Result(
            result.status,
            result.output,
            result.error,
            result.cause,
            result.next_state,
            self._inspection,
            self._frame.variables,
        )


def _details(state: AnyState, ending: handling.Ending) -> dict[str, Any]:
    errors = {
        "retryIndex": [retrier.errors for retrier in state.retry],
        "catchIndex": [catcher.errors for catcher in state.catch],
    }
    return {
        name: next(index for index, names in enumerate(rules) if handling.matches(ending, names))
        for name, rules in errors.items()
        if any(handling.matches(ending, names) for names in rules)
    }


def _inner(state: AnyState) -> set[str]:
    """Names of the states inside a Map or Parallel, at any depth."""
    machines: tuple[Machine, ...] = ()
    if isinstance(state, Map):
        machines = (state.processor,)
    elif isinstance(state, Parallel):
        machines = state.branches
    names: set[str] = set()
    for machine in machines:
        names |= machine.states.keys()
        for inner in machine.states.values():
            names |= _inner(inner)
    return names


def _check(trial: Trial) -> None:
    """Does the mock fit the state?"""
    mock, state = trial.mock, trial.state
    if trial.caused_by and trial.caused_by not in _inner(state):
        raise BadTrial(f"No state {trial.caused_by!r} is inside the state to test.")
    if mock is None:
        if trial.failed_iterations is not None:
            raise BadTrial(
                "TestState does not support MapIterationFailureCount when a mock is not specified."
            )
        if isinstance(state, Map | Parallel):
            raise BadTrial(f"State type '{state.type}' is supported only with a mock")
        return
    if mock.failed and mock.result is not MISSING:
        raise BadTrial(
            "A test mock should have only one of the following fields: [result, errorOutput]."
        )
    if state.type not in ("Task", "Map", "Parallel"):
        raise BadTrial(f"State type '{state.type}' is not supported when a mock is specified")
    if mock.failed:
        return
    writes = isinstance(state, Map) and state.writer is not None
    if isinstance(state, Map | Parallel) and not writes and not isinstance(mock.result, list):
        raise BadTrial("Mocked result must be an array.")
    if isinstance(state, Parallel) and len(mock.result) != len(state.branches):
        raise BadTrial(
            "Mocked result must contain the same number of items as number of Parallel branches."
        )
    if isinstance(state, Task):
        wrong = trial_mocks.problem(state.resource, mock.result, mock.validation)
        if wrong is not None:
            raise BadTrial(wrong)
