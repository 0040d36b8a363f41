"""What holds for every execution of :mod:`.simulation` that ended, whatever went wrong."""

from __future__ import annotations

import json
from collections import Counter

from funcflow.compositions import commands, signals
from funcflow.compositions.advance import advance
from funcflow.compositions.commands import Command, Request
from funcflow.compositions.events import Event, Type
from funcflow.compositions.execution import Bounds, Execution
from funcflow.compositions.resources import Kind
from funcflow.compositions.step import INTERNAL
from tests.models.simulation import Kept, World

ENDINGS = {
    Type.ExecutionSucceeded,
    Type.ExecutionFailed,
    Type.ExecutionAborted,
    Type.ExecutionTimedOut,
}


def check(world: World) -> None:
    """Everything, for each execution there was."""
    for it in world.executions:
        assert it.status != "RUNNING", f"{it.name} waits for ever"
        _check_replay(it)
        _check_history(it)
        _check_commands(it)


def _check_replay(it: Kept) -> None:
    """The log alone gives the same again; each result was used once; no timer was early."""
    again = Execution(it.definition, it.machine, bounds=Bounds(states=3), key=it.name)
    history: list[Event] = []
    given: list[Command] = []
    results = 0
    for line in it.log:
        signal = signals.load(json.loads(line))
        request, _ = again.waiting.get(getattr(signal, "id", 0), (None, None))
        wanted, happened = advance(again, signal)
        given += wanted
        history += happened
        if isinstance(signal, signals.TaskSucceeded) and isinstance(request, commands.RunTask):
            results += request.resource.kind is Kind.FUNCTION
        if isinstance(signal, signals.TimerFired) and isinstance(request, commands.StartTimer):
            assert again.time >= request.due - 1e-6
    assert history == it.history
    assert given == it.given
    assert again.status == it.status
    assert not again.outstanding
    kinds = Counter(event.type for event in history)
    assert kinds[Type.LambdaFunctionSucceeded] == results


def _check_history(it: Kept) -> None:
    history = it.history
    assert [event.id for event in history] == list(range(1, len(history) + 1))
    assert all(event.previous < event.id for event in history)
    redriven = [event.type for event in history].count(Type.ExecutionRedriven)
    assert sum(event.type in ENDINGS for event in history) == 1 + redriven
    assert history[-1].type in ENDINGS
    assert INTERNAL not in str([event.details for event in history])


def _check_commands(it: Kept) -> None:
    requested = Counter(each.id for each in it.given if isinstance(each, Request))
    taken_back = Counter(
        each.id for each in it.given if isinstance(each, commands.CancelTask | commands.CancelTimer)
    )
    assert set(requested.values()) <= {1}
    assert set(taken_back.values()) <= {1}
    assert set(taken_back) <= set(requested)
    # Nothing was asked for that the log does not say.
    assert set(it.asked) <= set(requested)
    assert isinstance(it.given[-1], commands.Finish)
