"""Distributed Map: every item or batch is an execution of its own.

Items come from a reader or from the input; at most so many children run at once; failures
are tolerated up to a threshold; results may go to a writer.
"""

from __future__ import annotations

import math
from typing import Any

from funcflow.compositions import events, failures, payloads, settings
from funcflow.compositions.commands import ReadItems, Request, RunChild, WriteResults
from funcflow.compositions.definition import Map
from funcflow.compositions.events import Type
from funcflow.compositions.execution import Frame, Group, MapRun
from funcflow.compositions.expressions.base import Value
from funcflow.compositions.signals import TaskFailed, TaskSucceeded, TaskTimedOut
from funcflow.compositions.states_group import items, selected
from funcflow.compositions.states_task import TaskFailure
from funcflow.compositions.step import Step

EXCEEDED = "The specified tolerated failure threshold was exceeded"


def run_distributed(step: Step, frame: Frame) -> None:
    state = frame.state
    assert isinstance(state, Map)
    if frame.group is not None:
        _resume(step, frame.group)
        return
    effective = step.effective_input(frame)
    found = [] if state.reader is not None else items(step, frame, effective)
    scope = step.scope(frame, effective)
    most = step.execution.bounds.distributed
    limit = min(settings.count(state.max_concurrency, scope) or most, most)
    step.tell(frame, Type.MapStateStarted, events.Length(len(found)))
    run = MapRun(
        _arn(step, state),
        settings.count(state.tolerated_failure_count, scope),
        settings.percentage(state.tolerated_failure_percentage, scope),
    )
    group = Group(frame, state, found, effective, limit, [], run=run)
    if state.reader is None:
        _prepare(step, group, found)
    else:
        arguments = _value(step, frame, state.reader.arguments, effective)
        run.max_items = settings.count(state.reader.max_items, scope) or None
    frame.group = group
    step.tell(frame, Type.MapRunStarted, events.MapRun(run.arn))
    if state.reader is None:
        _go_on(step, group)
    else:
        reader, most_items = state.reader, run.max_items
        step.request(frame, lambda n: ReadItems(n, state.name, reader, arguments, most_items))


def answered(
    step: Step, frame: Frame, request: Request, signal: TaskSucceeded | TaskFailed | TaskTimedOut
) -> None:
    """A child, the reader or the writer answered."""
    group = frame.group
    assert group is not None
    if isinstance(request, RunChild):
        _child_answered(step, group, request, signal)
    elif not isinstance(signal, TaskSucceeded):
        default = failures.ITEM_READER if isinstance(request, ReadItems) else failures.RESULT_WRITER
        error = getattr(signal, "error", None) or default
        _fail(step, group, error, signal.cause)
    elif isinstance(request, ReadItems):
        _read(step, group, signal.output)
    else:
        _succeed(step, group, signal.output)


def _read(step: Step, group: Group, found: Any) -> None:
    assert group.run is not None
    if not isinstance(found, list):
        _fail(step, group, failures.ITEM_READER, "The ItemReader gave no array.")
    if group.run.max_items is not None:
        found = found[: group.run.max_items]
    _prepare(step, group, found)
    _go_on(step, group)


def _prepare(step: Step, group: Group, found: list[Value]) -> None:
    """Make the list of what the children get: items, or batches of selected items."""
    state = group.state
    assert isinstance(state, Map)
    group.items = found
    if state.batcher is not None:
        group.items = _batches(step, group)
    group.results = [None] * len(group.items)


def _batches(step: Step, group: Group) -> list[Value]:
    state, owner = group.state, group.owner
    assert isinstance(state, Map)
    assert state.batcher is not None
    scope = step.scope(owner, group.input)
    most = settings.count(state.batcher.max_items, scope) or math.inf
    room: float = settings.count(state.batcher.max_bytes, scope) or step.execution.bounds.payload
    envelope: dict[str, Value] = {}
    if state.batcher.batch_input is not None:
        envelope["BatchInput"] = state.batcher.batch_input.evaluate(scope)
    room -= payloads.size({**envelope, "Items": []})
    batches: list[Value] = []
    batch: list[Value] = []
    used = 0
    for index in range(len(group.items)):
        value, _ = selected(step, group, index)
        size = payloads.size(value) + 1
        if batch and (len(batch) >= most or used + size > room):
            batches.append({**envelope, "Items": batch})
            batch, used = [], 0
        batch.append(value)
        used += size
    if batch:
        batches.append({**envelope, "Items": batch})
    return batches


def _go_on(step: Step, group: Group) -> None:
    """Start as many children as may run; write or give the results when all have ended."""
    run = group.run
    assert run is not None
    if group.ended == len(group.items):
        _write(step, group)
        return
    while len(run.children) < group.limit and (run.again or group.started < len(group.items)):
        if run.again:
            index = run.again.pop(0)
        else:
            index = group.started
            group.started += 1
        _start(step, group, run, index)


def _start(step: Step, group: Group, run: MapRun, index: int) -> None:
    state = group.state
    assert isinstance(state, Map)
    value = group.items[index]
    if state.batcher is None:
        value, _ = selected(step, group, index)
    step.check(value, state.name)
    number = step.request(
        group.owner,
        lambda n: RunChild(n, state.name, index, value, state.execution_type, run.arn, step.now),
    )
    run.children[number] = index
    if state.writer is not None:
        run.inputs[index] = value


def _child_answered(
    step: Step,
    group: Group,
    request: RunChild,
    signal: TaskSucceeded | TaskFailed | TaskTimedOut,
) -> None:
    run = group.run
    assert run is not None
    index = run.children.pop(request.id)
    group.ended += 1
    if isinstance(signal, TaskSucceeded):
        group.results[index] = signal.output
        run.done.add(index)
    else:
        error = failures.TIMEOUT if isinstance(signal, TaskTimedOut) else signal.error
        run.failed[index] = (error, signal.cause)
        if _exceeded(run, len(group.items)):
            _fail(step, group, failures.TOLERATED, EXCEEDED)
    _go_on(step, group)


def _exceeded(run: MapRun, total: int) -> bool:
    """Both thresholds hold if both are set; none at all tolerates nothing."""
    failed = len(run.failed)
    count, share = run.tolerated_count, run.tolerated_percentage
    if not count and not share:
        return failed > 0
    return (bool(count) and failed > (count or 0)) or (
        bool(share) and failed * 100 > (share or 0) * total
    )


def _write(step: Step, group: Group) -> None:
    state, run, owner = group.state, group.run, group.owner
    assert isinstance(state, Map)
    assert run is not None
    if state.writer is None:
        good = [value for n, value in enumerate(group.results) if n not in run.failed]
        step.check(good, state.name)
        _succeed(step, group, good)
        return
    writer = state.writer
    arguments = _value(step, owner, writer.arguments, group.input)
    results = tuple(_outcome(group, run, index) for index in range(len(group.items)))
    step.request(owner, lambda n: WriteResults(n, state.name, writer, arguments, run.arn, results))


def _outcome(group: Group, run: MapRun, index: int) -> dict[str, Value]:
    given = run.inputs.get(index)
    if index in run.failed:
        error, cause = run.failed[index]
        return {"Status": "FAILED", "Input": given, "Error": error, "Cause": cause}
    return {"Status": "SUCCEEDED", "Input": given, "Output": group.results[index]}


def _succeed(step: Step, group: Group, result: Value) -> None:
    owner = group.owner
    step.tell(owner, Type.MapRunSucceeded)
    step.tell(owner, Type.MapStateSucceeded)
    step.finish(owner, result)


def _fail(step: Step, group: Group, error: str, cause: str | None) -> None:
    step.cancel(group.owner)
    if group.run is not None:
        group.run.children.clear()
    step.tell(group.owner, Type.MapRunFailed, events.Error(error, cause))
    raise TaskFailure(error, cause)


def _resume(step: Step, group: Group) -> None:
    """After a redrive: only children that failed or never ended are run."""
    run, state, owner = group.run, group.state, group.owner
    assert isinstance(state, Map)
    assert run is not None
    if not group.results and state.reader is not None:
        owner.group = None
        run_distributed(step, owner)
        return
    step.tell(owner, Type.MapRunRedriven, events.MapRun(run.arn, step.execution.redrives))
    run.again = [index for index in range(group.started) if index not in run.done]
    run.failed.clear()
    run.children.clear()
    group.ended = len(run.done)
    _go_on(step, group)


def _arn(step: Step, state: Map) -> str:
    identity = str(step.execution.context.get("StateMachine", {}).get("Id", ""))
    label = state.label or state.name
    return f"{identity.replace(':stateMachine:', ':mapRun:')}/{label}:{step.hooks.uuid()}"


def _value(step: Step, frame: Frame, template: Any, effective: Value) -> Value:
    return None if template is None else template.evaluate(step.scope(frame, effective))
