"""What an execution asks of the outside, to be done after its signal is durable.

``id`` numbers commands within the execution, from 1, the same in every replay: give it
with the request, so that a repeated command is done once. The commands an execution still waits
for are in ``Execution.outstanding``; whoever takes an execution over does them again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from funcflow.compositions.definition import ItemReader, ResultWriter
    from funcflow.compositions.resources import Resource
    from funcflow.compositions.work import Work


@dataclass(frozen=True, slots=True)
class RunTask:
    """Do the work; answer TaskSucceeded, TaskFailed or TaskTimedOut (by its deadline).

    A resource that waits (token, .sync) is answered by TaskSubmitted first.
    """

    id: int
    state: str
    resource: Resource
    #: What to do, read out of the resource and its arguments.
    work: Work
    #: Seconds from ``since``, None: no limit.
    timeout: int | None = None
    #: Seconds between heartbeats (the first counts from ``since``), None: none needed.
    heartbeat: int | None = None
    #: With it anybody may answer; for resources that wait (.sync as well).
    token: str | None = None
    #: From 0: how often the state was retried before.
    attempt: int = 0
    #: When it was asked for, seconds since the epoch; the same in every replay.
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class CancelTask:
    """Nobody waits for it any more (a RunTask, RunChild, ReadItems or WriteResults)."""

    id: int


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Answer TimerFired at ``due`` (seconds since the epoch), not before."""

    id: int
    due: float


@dataclass(frozen=True, slots=True)
class CancelTimer:
    id: int


@dataclass(frozen=True, slots=True)
class RunChild:
    """Run one item (or batch) of a distributed Map as an execution of its own.

    The child's machine is ``definition.states[state].processor``. Answer TaskSucceeded
    with its output or TaskFailed with its error and cause.
    """

    id: int
    state: str
    #: Place among the children of this Map Run, from 0.
    index: int
    input: Any
    #: STANDARD or EXPRESS.
    type: str
    map_run: str
    #: As of :class:`RunTask`.
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class ReadItems:
    """Read the items of a distributed Map; TaskSucceeded with at most ``max_items`` of
    them, or TaskFailed, usually with States.ItemReaderFailed."""

    id: int
    state: str
    reader: ItemReader
    #: {Bucket, Key, Prefix}, evaluated.
    arguments: Any
    max_items: int | None = None


@dataclass(frozen=True, slots=True)
class WriteResults:
    """Store the results of a distributed Map; TaskSucceeded with what becomes the state's
    result, ``{"MapRunArn": ..., "ResultWriterDetails": {"Bucket": ..., "Key": ...}}``."""

    id: int
    state: str
    writer: ResultWriter
    arguments: Any
    map_run: str
    #: One for each child in order: {"Status", "Input", "Output" or "Error" and "Cause"}.
    results: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Continue:
    """There is more to do now: answer Continued soon. Keeps one step of a long computation
    short, so that others get their turn and a stop is heard.

    ``states`` is how many were entered. If ``enough`` ended the step, the signal must be
    logged with that number, so that a replay ends it there as well.
    """

    states: int


@dataclass(frozen=True, slots=True)
class Finish:
    """The execution is over; the last command it gives. ``status`` is AWS's word."""

    status: str
    output: Any = None
    error: str | None = None
    cause: str | None = None


Command = (
    RunTask
    | CancelTask
    | StartTimer
    | CancelTimer
    | RunChild
    | ReadItems
    | WriteResults
    | Continue
    | Finish
)
#: Those that are answered by a signal with their id.
Request = RunTask | StartTimer | RunChild | ReadItems | WriteResults
