"""What the outside tells an execution: the only thing its state depends on.

The durable log of an execution is the list of its signals in order; folding
:func:`funcflow.compositions.advance.advance` over them gives the state, the history and the
outstanding commands again, byte for byte. ``time`` is seconds since the epoch as the
writer of the log saw it; a later signal with an earlier time is taken at the later one.
``id`` is the id of the command it answers; an answer to a command that is no longer
outstanding is ignored, so each result is used once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    time: float
    #: States to enter at most before Continue, where the log says so (see Continue.states).
    states: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Signal):
    """The first signal, and only the first.

    ``context`` is the outer part of the context object: {Execution: {Id, Name, ...},
    StateMachine: {Id, Name}}; Execution.Input and Execution.StartTime are added.
    ``seed`` is where random numbers, uuids and task tokens come from: it must be secret and
    hard to guess wherever tokens are.
    """

    input: Any = None
    context: Mapping[str, Any] = field(default_factory=dict)
    seed: str = "0"
    role_arn: str | None = None
    #: Bytes of one payload, so that a replay has the same limit; None: that of the bounds.
    payload: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Continued(Signal):
    """The answer to :class:`~funcflow.compositions.commands.Continue`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSubmitted(Signal):
    """The request of a task that waits (token, .sync) was accepted."""

    id: int
    output: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSucceeded(Signal):
    """A task, child, reader or writer gave its result.

    A function: what it returned. A reader: the list of items. Others: the whole output.
    """

    id: int
    output: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailed(Signal):
    """``refused``: it failed before it could start (submission, unknown function)."""

    id: int
    error: str | None = None
    cause: str | None = None
    refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTimedOut(Signal):
    """Its ``timeout`` passed, or (``heartbeat``) no heartbeat came in time."""

    id: int
    heartbeat: bool = False
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerFired(Signal):
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped(Signal):
    """Somebody stops the execution: ABORTED."""

    error: str | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused(Signal):
    """No new state is entered until :class:`Resumed`; results are still taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed(Signal):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Redriven(Signal):
    """An execution that did not succeed goes on at the states where it ended."""


_KINDS: Final[Mapping[str, type[Signal]]] = {
    kind.__name__: kind
    for kind in (
        Started,
        Continued,
        TaskSubmitted,
        TaskSucceeded,
        TaskFailed,
        TaskTimedOut,
        TimerFired,
        Stopped,
        Paused,
        Resumed,
        Redriven,
    )
}
#: Class -> (field, default); fields at their default are not written.
_FIELDS: Final[Mapping[type[Signal], tuple[tuple[str, Any], ...]]] = {
    kind: tuple(
        (each.name, {} if each.name == "context" else each.default) for each in fields(kind)
    )
    for kind in _KINDS.values()
}


def dump(signal: Signal) -> dict[str, Any]:
    """The signal as JSON data, for the log: {"type": "TimerFired", "time": …, "id": …}."""
    data: dict[str, Any] = {"type": type(signal).__name__}
    for name, default in _FIELDS[type(signal)]:
        value = getattr(signal, name)
        # 0 == False and 1 == 1.0, so what is equal must be of one type as well.
        if type(value) is not type(default) or value != default:
            data[name] = value
    return data


def load(data: Mapping[str, Any]) -> Signal:
    """The signal that :func:`dump` wrote, here or in another version during an upgrade.

    So a newer version may add what an older one can do without; that is left out.

    :raises KeyError: it is of a kind that nobody here knows
    :raises TypeError: something is missing
    """
    kind = _KINDS[data["type"]]
    known = {name for name, _ in _FIELDS[kind]}
    return kind(**{name: value for name, value in data.items() if name in known})
