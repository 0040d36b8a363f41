"""A linear TaskFlow flow, compiled once into a list of calls.

TaskFlow's serial engine spends about 2 ms of CPU to run a flow of one task; most of it
goes into a graph, atom details and state changes that nobody reads for an in-memory
flow. A plan keeps what the flow *means* (arguments by name, results by name, revert in
reverse order) and drops the rest. Used by :mod:`taskflow_flows.engine` (as a TaskFlow
engine) and by the conductor (directly).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from taskflow import exceptions, retry, task
from taskflow.patterns import linear_flow
from taskflow.types import failure


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One task with its argument names resolved: (parameter, name in the store)."""

    task: Any
    required: tuple[tuple[str, str], ...]
    optional: tuple[tuple[str, str], ...]
    revert_required: tuple[tuple[str, str], ...]
    revert_optional: tuple[tuple[str, str], ...]
    #: (index or key in the result, or None for all of it; name in the store)
    saves: tuple[tuple[Any, str], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """Steps in order. Immutable and without state, so threads may share it."""

    name: str
    steps: tuple[Step, ...]
    requires: frozenset[str]

    def run(self, store: Mapping[str, Any]) -> dict[str, Any]:
        """Execute every step and return the store with all results.

        A step that raises is reverted, then those before it, last first; the exception
        then goes on to the caller.
        """
        values = dict(store)
        results: list[Any] = []
        for step in self.steps:
            try:
                result = step.task.execute(**_arguments(step.required, step.optional, values))
            except Exception as exc:
                self._revert(results, values, exc)
                raise
            results.append(result)
            for index, name in step.saves:
                values[name] = result if index is None else result[index]
        return values

    def _revert(self, results: list[Any], values: dict[str, Any], exc: Exception) -> None:
        failed = self.steps[len(results)]
        cause = failure.Failure.from_exception(exc)
        failures = {failed.task.name: cause}
        pairs = zip(self.steps, [*results, cause], strict=False)
        for step, result in reversed(list(pairs)):
            arguments = _arguments(step.revert_required, step.revert_optional, values)
            step.task.revert(**arguments, result=result, flow_failures=failures)


def compile_flow(flow: linear_flow.Flow) -> Plan:
    """The plan of a linear flow (nested linear flows are flattened).

    :raises TypeError: for graphs, unordered flows and retries: use a stock engine there
    """
    steps = tuple(_step(atom) for atom in _flatten(flow))
    return Plan(flow.name, steps, frozenset(flow.requires))


def _flatten(flow: Any) -> Iterator[Any]:
    if not isinstance(flow, linear_flow.Flow) or flow.retry is not None:
        raise TypeError(f"{flow.name}: the inline engine runs linear flows without retries")
    for item in flow:
        if isinstance(item, task.Task):
            yield item
        elif isinstance(item, retry.Retry):
            raise TypeError(f"{item.name}: the inline engine has no retries")
        else:
            yield from _flatten(item)


def _step(atom: Any) -> Step:
    return Step(
        task=atom,
        required=_names(atom.rebind, atom.optional, inverse=True),
        optional=_names(atom.rebind, atom.optional),
        revert_required=_names(atom.revert_rebind, atom.revert_optional, inverse=True),
        revert_optional=_names(atom.revert_rebind, atom.revert_optional),
        saves=tuple((index, name) for name, index in atom.save_as.items()),
    )


def _names(
    rebind: Mapping[str, str], optional: Any, inverse: bool = False
) -> tuple[tuple[str, str], ...]:
    return tuple(
        (parameter, name) for parameter, name in rebind.items() if (name in optional) is not inverse
    )


def _arguments(
    required: tuple[tuple[str, str], ...],
    optional: tuple[tuple[str, str], ...],
    values: Mapping[str, Any],
) -> dict[str, Any]:
    try:
        arguments = {parameter: values[name] for parameter, name in required}
    except KeyError as exc:
        raise exceptions.NotFound(f"nothing provides {exc.args[0]!r}") from exc
    for parameter, name in optional:
        if name in values:
            arguments[parameter] = values[name]
    return arguments
