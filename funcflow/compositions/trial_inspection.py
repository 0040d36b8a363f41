"""What a trial shows of the stages a state's data went through, by AWS's names."""

from __future__ import annotations

from dataclasses import replace

from funcflow.compositions import settings
from funcflow.compositions.definition import AnyState, Map, Pass, Task
from funcflow.compositions.execution import Frame, Group
from funcflow.compositions.expressions.base import MISSING, Value
from funcflow.compositions.states_group import items, selected
from funcflow.compositions.step import Step


def before(step: Step, frame: Frame, read: Value, seen: dict[str, Value]) -> None:
    """Fill in the stages before the work; stops where one fails, as the state does.

    ``read`` is what an ItemReader is taken to have read.
    """
    state = frame.state
    paths = state.language == "JSONPath"
    seen["input"] = frame.input
    effective = frame.input
    if paths and state.type != "Parallel" and not (isinstance(state, Pass) and state.has_result):
        seen["afterInputPath"] = effective = step.effective_input(frame)
    if isinstance(state, Map):
        _map_before(step, frame, effective, read, seen)
    elif isinstance(state, Task) or (paths and isinstance(state, Pass) and not state.has_result):
        if paths:
            seen["afterParameters"] = step.arguments(frame, effective)
        elif state.arguments is not None:
            seen["afterArguments"] = step.arguments(frame, effective)


def _map_before(
    step: Step, frame: Frame, effective: Value, read: Value, seen: dict[str, Value]
) -> None:
    state = frame.state
    assert isinstance(state, Map)
    if state.reader is None:
        found = items(step, frame, effective)
        if state.language == "JSONPath":
            seen["afterItemsPath"] = found
    else:
        found = read if isinstance(read, list) else []
    if state.item_selector is not None and found:
        group = Group(frame, state, found, effective, 1, [])
        seen["afterItemSelector"] = [selected(step, group, n)[0] for n in range(len(found))]
    scope = step.scope(frame, effective)
    seen["maxConcurrency"] = settings.count(state.max_concurrency, scope) or 0
    if state.tolerated_failure_count is not None:
        seen["toleratedFailureCount"] = settings.count(state.tolerated_failure_count, scope)
    if state.tolerated_failure_percentage is not None:
        share = settings.percentage(state.tolerated_failure_percentage, scope)
        seen["toleratedFailurePercentage"] = float(share or 0)


def after(
    step: Step,
    state: AnyState,
    raw: Value,
    result: Value,
    seen: dict[str, Value],
    frame: Frame,
) -> None:
    """Fill in the stages after the work. A Pass finds its own result."""
    if isinstance(state, Pass):
        result = state.result if state.has_result else seen.get("afterParameters", MISSING)
        if state.has_result and state.language == "JSONPath":
            seen["result"] = result
    elif isinstance(state, Task):
        seen["result"] = result
    if state.language != "JSONPath" or result is MISSING:
        return
    # The real thread may have left the state already.
    there = replace(frame, state=state, input=raw)
    if state.result_selector is not None:
        result = state.result_selector.evaluate(step.scope(there, result))
    seen["afterResultSelector"] = result
    if state.discard:
        result = raw
    elif state.result_path is not None:
        result = state.result_path.put(raw, result)
    seen["afterResultPath"] = result
