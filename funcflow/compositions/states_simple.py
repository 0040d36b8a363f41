"""Pass, Wait, Choice and Succeed: states that need nobody else, or only a clock."""

from __future__ import annotations

from funcflow.compositions import choices, failures, settings
from funcflow.compositions.commands import StartTimer
from funcflow.compositions.definition import Choice, Pass, Succeed, Wait
from funcflow.compositions.execution import Frame
from funcflow.compositions.failures import Failure
from funcflow.compositions.step import Step


def run_pass(step: Step, frame: Frame) -> None:
    state = frame.state
    assert isinstance(state, Pass)
    if state.language != "JSONPath":
        _through(step, frame, state.next)
        return
    result = step.effective_input(frame)
    if state.arguments is not None:
        result = step.arguments(frame, result)
    if state.has_result:
        result = state.result
    step.finish(frame, result)


def run_succeed(step: Step, frame: Frame) -> None:
    assert isinstance(frame.state, Succeed)
    _through(step, frame, None)


def run_wait(step: Step, frame: Frame) -> None:
    state = frame.state
    assert isinstance(state, Wait)
    scope = step.scope(frame, step.effective_input(frame))
    if state.seconds is not None:
        due = step.now + settings.seconds(state.seconds, scope)
    else:
        assert state.timestamp is not None
        due = settings.instant(state.timestamp, scope)
    if due <= step.now:
        waited(step, frame)
    else:
        step.request(frame, lambda number: StartTimer(number, due))


def waited(step: Step, frame: Frame) -> None:
    """The timer of a Wait fired."""
    _through(step, frame, frame.state.next)


def run_choice(step: Step, frame: Frame) -> None:
    state = frame.state
    assert isinstance(state, Choice)
    effective = step.effective_input(frame)
    scope = step.scope(frame, effective)
    output, assign, target = state.output, state.assign, state.default
    for rule in state.rules:
        if choices.matches(rule.test, scope):
            target = rule.next
            output = rule.output if rule.output is not None else output
            assign = rule.assign
            break
    if target is None:
        raise Failure(
            failures.NO_CHOICE,
            "Failed to transition out of the state. The state does not point to a next state.",
        )
    assigned = step.assign(frame, assign, scope)
    if state.language == "JSONPath":
        value = step.output_path(frame, effective)
    else:
        value = effective if output is None else output.evaluate(scope)
    step.leave(frame, value, target, assigned)


def _through(step: Step, frame: Frame, target: str | None) -> None:
    """Leave a state that has no result: its output is its input, filtered."""
    state = frame.state
    value = step.effective_input(frame)
    if state.assign is None and state.output is None:
        step.leave(frame, step.output_path(frame, value), target)
        return
    scope = step.scope(frame, value)
    assigned = step.assign(frame, state.assign, scope)
    if state.language == "JSONPath":
        output = step.output_path(frame, value)
    else:
        output = value if state.output is None else state.output.evaluate(scope)
    step.leave(frame, output, target, assigned)
