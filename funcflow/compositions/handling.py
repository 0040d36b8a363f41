"""What becomes of a state's failure: a retry, a catcher, or the end of its thread."""

from __future__ import annotations

from dataclasses import dataclass

from funcflow.compositions import events, failures, settings
from funcflow.compositions.commands import StartTimer
from funcflow.compositions.definition import Catcher, Fail, Retrier
from funcflow.compositions.events import Type
from funcflow.compositions.execution import Frame
from funcflow.compositions.expressions.base import Value
from funcflow.compositions.failures import Failure
from funcflow.compositions.states_task import TaskFailure
from funcflow.compositions.step import HistoryFull, Step, failure_of


@dataclass(frozen=True, slots=True)
class Ending:
    """The failure a thread ends with; ``also`` is another name of the same error."""

    error: str | None
    cause: str | None
    also: str | None = None


def asked_failure(step: Step, frame: Frame) -> TaskFailure:
    """The failure a Fail state asks for."""
    state = frame.state
    assert isinstance(state, Fail)
    scope = step.scope(frame, step.effective_input(frame))
    error = settings.string(state.error, scope)
    return TaskFailure(error, settings.string(state.cause, scope))


def handle(step: Step, frame: Frame, failure: Failure) -> Ending | None:
    """Retry or catch; None if the thread goes on, else what it fails with."""
    step.cancel(frame)
    if frame.group is not None:
        step.end_group(frame.group)
    ending = _ending(step, frame, failure)
    for index, retrier in enumerate(frame.state.retry):
        if matches(ending, retrier.errors):
            if _retry(step, frame, index, retrier):
                return None
            break
    kind = frame.state.type
    if frame.group is not None or (kind == "Map" and failure.error == failures.QUERY):
        step.tell(frame, Type[f"{kind}StateFailed"])
    for catcher in frame.state.catch:
        if matches(ending, catcher.errors):
            try:
                _catch(step, frame, catcher, ending)
            except HistoryFull:
                raise
            except Exception as second:
                return _ending(step, frame, failure_of(second))
            return None
    return ending


def matches(ending: Ending, names: tuple[str, ...]) -> bool:
    """Do a retrier's or catcher's ErrorEquals take this failure?"""
    error = ending.error
    if error in names or (ending.also is not None and ending.also in names):
        return True
    if failures.ALL in names:
        return error != failures.RUNTIME
    return failures.TASK_FAILED in names and error not in _NOT_OF_TASKS


_NOT_OF_TASKS = frozenset({failures.TIMEOUT, failures.RUNTIME, failures.DATA_LIMIT})


def delay(retrier: Retrier, retried: int, random: float) -> float:
    """Seconds before the next retry after ``retried`` of them; ``random`` in [0, 1)."""
    longest = float(retrier.max_delay or 99_999_999)
    try:
        seconds = min(retrier.interval * retrier.backoff**retried, longest)
    except OverflowError:
        seconds = longest
    return seconds * random if retrier.jitter else seconds


def _ending(step: Step, frame: Frame, failure: Failure) -> Ending:
    """What is told about the failure: those of the state's fields say where they happened."""
    if isinstance(failure, TaskFailure):
        return Ending(failure.given_error, failure.given_cause, failure.also)
    cause = failure.cause
    state = frame.state
    if failure.error != failures.DATA_LIMIT:
        cause = (
            f"An error occurred while executing the state '{state.name}' "
            f"(entered at the event id #{frame.entered}). {cause}"
        )
    if failure.error == failures.QUERY and state.language != "JSONPath":
        details = events.Evaluation(state.name, failure.error, cause, failure.location)
        step.tell(frame, Type.EvaluationFailed, details)
    return Ending(failure.error, cause)


def _retry(step: Step, frame: Frame, index: int, retrier: Retrier) -> bool:
    counts = frame.retries or {}
    retried = counts.get(index, 0)
    if retried >= retrier.max_attempts:
        return False
    frame.retries = {**counts, index: retried + 1}
    frame.attempt += 1
    frame.group = None
    frame.retrying = True
    draw = step.hooks.random() if retrier.jitter else 0.0
    due = step.now + delay(retrier, retried, draw)
    step.request(frame, lambda number: StartTimer(number, due))
    return True


def _catch(step: Step, frame: Frame, catcher: Catcher, ending: Ending) -> None:
    error: Value = {"Error": ending.error, "Cause": ending.cause}
    state = frame.state
    if state.language == "JSONPath":
        if catcher.discard:
            output = frame.input
        elif catcher.result_path is None:
            output = error
        else:
            output = catcher.result_path.put(frame.input, error)
        scope = step.scope(frame, error)
    else:
        scope = step.scope(frame, frame.input, error=error)
        output = error if catcher.output is None else catcher.output.evaluate(scope)
    assigned = step.assign(frame, catcher.assign, scope)
    step.leave(frame, output, catcher.next, assigned)
