"""Parallel and inline Map: threads of their own inside the same execution."""

from __future__ import annotations

from funcflow.compositions import events, failures, settings
from funcflow.compositions.definition import Map, Parallel, Setting
from funcflow.compositions.events import Type, text
from funcflow.compositions.execution import Frame, Group
from funcflow.compositions.expressions.base import MISSING, Value
from funcflow.compositions.failures import Failure
from funcflow.compositions.step import Step


def run_parallel(step: Step, frame: Frame) -> None:
    state = frame.state
    assert isinstance(state, Parallel)
    if frame.group is not None:
        go_on(step, frame.group)
        return
    arguments = step.arguments(frame, step.effective_input(frame))
    step.check(arguments, state.name)
    step.tell(frame, Type.ParallelStateStarted)
    size = len(state.branches)
    group = Group(frame, state, [arguments] * size, arguments, size, [None] * size)
    frame.group = group
    go_on(step, group)


def run_map(step: Step, frame: Frame) -> None:
    """An inline Map; :mod:`states_distributed` has the other."""
    state = frame.state
    assert isinstance(state, Map)
    if frame.group is not None:
        go_on(step, frame.group)
        return
    effective = step.effective_input(frame)
    found = items(step, frame, effective)
    scope = step.scope(frame, effective)
    limit = settings.count(state.max_concurrency, scope) or step.execution.bounds.inline
    step.tell(frame, Type.MapStateStarted, events.Length(len(found)))
    limit = min(limit, step.execution.bounds.inline)
    frame.group = Group(frame, state, found, effective, limit, [None] * len(found))
    go_on(step, frame.group)


def items(step: Step, frame: Frame, effective: Value) -> list[Value]:
    """What a Map without a reader goes over."""
    state = frame.state
    assert isinstance(state, Map)
    setting = state.items
    if setting is None:
        found = effective
    elif setting.expression is None:
        found = setting.literal
    else:
        found = _evaluated(step, frame, setting, effective)
    if isinstance(found, dict) and state.distributed and state.language != "JSONPath":
        return [{"Key": key, "Value": value} for key, value in found.items()]
    if isinstance(found, list):
        return found
    if state.language == "JSONPath":
        path = "$" if setting is None or setting.expression is None else setting.expression.text
        path = path.removeprefix("$") if path.startswith("$$") else path
        raise Failure(failures.RUNTIME, f'Reference path "{path}" must point to array.')
    if setting is not None and setting.expression is not None:
        raise settings.unexpected(setting, "array", found)
    raise Failure(failures.QUERY, f"Map state input must be an array but was: {text(found)}")


def _evaluated(step: Step, frame: Frame, setting: Setting, effective: Value) -> Value:
    assert setting.expression is not None
    scope = step.scope(frame, effective)
    find = getattr(setting.expression, "find", None)
    if frame.state.language != "JSONPath" or find is None:
        return setting.expression.evaluate(scope)
    found = find(scope)
    if found is MISSING:
        return setting.expression.evaluate(scope)
    return found


def go_on(step: Step, group: Group) -> None:
    """Start as many threads as may run; finish the state when all have ended."""
    if group.ended == len(group.items):
        complete(step, group)
        return
    while group.started < len(group.items) and len(group.frames) < group.limit:
        start(step, group, group.started)
        group.started += 1


def start(step: Step, group: Group, index: int) -> None:
    owner, state = group.owner, group.state
    if isinstance(state, Parallel):
        machine, value, about = state.branches[index], group.items[index], owner.map
    else:
        machine = state.processor
        value, about = selected(step, group, index)
        details = events.Iteration(state.name, index)
    frame = Frame(
        machine,
        machine.states[machine.start_at],
        value,
        None,
        owner.variables,
        owner.previous,
        parent=group,
        index=index,
        map=about,
    )
    if isinstance(state, Map):
        step.tell(frame, Type.MapIterationStarted, details)
    group.frames[index] = frame
    step.execution.ready.append(frame)


def selected(step: Step, group: Group, index: int) -> tuple[Value, dict[str, Value]]:
    """The input of an iteration or child through the ItemSelector, and its ``$$.Map``."""
    state = group.state
    assert isinstance(state, Map)
    item = group.items[index]
    about: dict[str, Value] = {"Item": {"Index": index, "Value": item}}
    if state.distributed and isinstance(item, dict) and item.keys() == {"Key", "Value"}:
        about["Item"]["Key"] = item["Key"]
    if state.item_selector is None:
        return item, about
    context = {**step.context(group.owner), "Map": about}
    scope = step.scope(group.owner, group.input, context=context)
    value = state.item_selector.evaluate(scope)
    step.check(value, state.name)
    return value, about


def thread_ended(step: Step, frame: Frame) -> None:
    """One thread of the group came to its end with ``frame.input``."""
    group = frame.parent
    assert group is not None
    del group.frames[frame.index]
    group.results[frame.index] = frame.input
    group.ended += 1
    if isinstance(group.state, Map):
        details = events.Iteration(group.state.name, frame.index)
        step.tell(frame, Type.MapIterationSucceeded, details)
    group.owner.previous = frame.previous
    go_on(step, group)


def thread_failed(step: Step, frame: Frame) -> None:
    """One thread failed for good. The caller fails the owner, which ends the others."""
    group = frame.parent
    assert group is not None
    if isinstance(group.state, Map):
        details = events.Iteration(group.state.name, frame.index)
        step.tell(frame, Type.MapIterationFailed, details)
    if frame.state.type == "Task":
        step.tell(frame, Type.TaskStateAborted)
    frame.over = True
    step.cancel(frame)
    group.owner.previous = frame.previous


def complete(step: Step, group: Group) -> None:
    owner = group.owner
    kind = "Map" if isinstance(group.state, Map) else "Parallel"
    # Before the event: a result that is too large is the failure of the state.
    step.check(group.results, group.state.name)
    step.tell(owner, Type[f"{kind}StateSucceeded"])
    step.finish(owner, group.results)
