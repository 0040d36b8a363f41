"""The state of one execution: threads of control walking through machines.

Built only by folding signals with :func:`funcflow.compositions.advance.advance`, which
changes it in place (a copy for every step would cost more than the step). Values inside are
JSON and immutable.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from funcflow.compositions.commands import Request
from funcflow.compositions.definition import AnyState, Definition, Machine, Map, Parallel, Type
from funcflow.compositions.expressions.base import DEFAULT_LIMITS, Limits, Value
from funcflow.compositions.payloads import PAYLOAD_LIMIT

RUNNING: Final = "RUNNING"
SUCCEEDED: Final = "SUCCEEDED"
FAILED: Final = "FAILED"
TIMED_OUT: Final = "TIMED_OUT"
ABORTED: Final = "ABORTED"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an execution may use."""

    #: Bytes of one input, output or result.
    payload: int = PAYLOAD_LIMIT
    #: Bytes of all variables that one thread sees.
    variables: int = 10 * 1024 * 1024
    #: Iterations of an inline Map at once, whatever its MaxConcurrency.
    inline: int = 40
    #: Children of a distributed Map at once.
    distributed: int = 1000
    #: States entered in one call of advance(); then comes Continue.
    states: int = 1000
    #: Seconds an EXPRESS execution may take.
    express: float = 300.0
    #: Of one evaluation.
    expressions: Limits = DEFAULT_LIMITS


@dataclass(slots=True, eq=False)
class Frame:
    """One thread of control: the top, a branch, or an iteration."""

    machine: Machine
    state: AnyState
    #: The raw input of the state.
    input: Value
    #: Bytes that ``input`` has at most, None: not measured.
    size: int | None = None
    variables: Mapping[str, Value] = field(default_factory=dict)
    #: The event the next one follows from.
    previous: int = 0
    #: The …StateEntered event of the state, and its time as text.
    entered: int = 0
    entered_time: str = ""
    #: How often the state was retried, in all and by each of its retriers.
    attempt: int = 0
    retries: dict[int, int] | None = None
    #: The Parallel or Map this thread is part of, and its place there.
    parent: Group | None = None
    index: int = 0
    #: ``$$.Map`` for an iteration and everything in it.
    map: Mapping[str, Value] | None = None
    #: The Parallel or Map this thread is in right now.
    group: Group | None = None
    #: Commands it waits for.
    requests: set[int] = field(default_factory=set)
    #: Waits for the timer of a retry.
    retrying: bool = False
    #: The token of the task it waits for.
    token: str | None = None
    #: Its machine ended, or it was ended.
    over: bool = False


@dataclass(slots=True, eq=False)
class Group:
    """A Parallel or Map at work."""

    owner: Frame
    state: Parallel | Map
    #: Parallel: one input; Map: the items still in their order.
    items: list[Value]
    #: What $ and $states.input mean in the ItemSelector.
    input: Value
    limit: int
    results: list[Value]
    #: Items started so far: the next one has this index.
    started: int = 0
    ended: int = 0
    #: Live threads by index (inline).
    frames: dict[int, Frame] = field(default_factory=dict)
    run: MapRun | None = None


@dataclass(slots=True, eq=False)
class MapRun:
    """What a distributed Map has besides: children are executions of their own."""

    arn: str
    tolerated_count: int | None
    tolerated_percentage: float | None
    max_items: int | None = None
    #: Index of the child behind a command.
    children: dict[int, int] = field(default_factory=dict)
    inputs: dict[int, Value] = field(default_factory=dict)
    #: Index -> (error, cause).
    failed: dict[int, tuple[str | None, str | None]] = field(default_factory=dict)
    #: Indexes of the children that succeeded.
    done: set[int] = field(default_factory=set)
    #: Failed in an earlier run: to be started again by a redrive.
    again: list[int] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Execution:
    """One execution; make it with definition and nothing else, then send it Started.

    ``machine`` differs from the definition's for the child executions of a distributed Map.
    """

    definition: Definition
    machine: Machine | None = None
    type: Type | None = None
    bounds: Bounds = field(default_factory=Bounds)
    #: How its task tokens begin (``<key>.<number of the command>.<secret>``), so that whoever
    #: gets one back finds the execution; "": tokens are the secret alone.
    key: str = ""

    status: str = RUNNING
    output: Value = None
    error: str | None = None
    cause: str | None = None

    #: Signals taken so far.
    sequence: int = 0
    #: The latest time seen, seconds since the epoch.
    time: float = 0.0
    seed: str = "0"
    #: Id of the newest event.
    last_event: int = 0
    #: Id of the newest command.
    last_command: int = 0
    redrives: int = 0
    paused: bool = False
    #: ``$$.Execution`` and ``$$.StateMachine`` and what else the starter put there.
    context: dict[str, Value] = field(default_factory=dict)
    root: Frame | None = None
    #: Threads that can go on.
    ready: deque[Frame] = field(default_factory=deque)
    #: Commands not answered yet, oldest first, and who waits (None: the execution's timeout).
    waiting: dict[int, tuple[Request, Frame | None]] = field(default_factory=dict)

    @property
    def outstanding(self) -> list[Request]:
        """Commands to be given again by whoever takes the execution over."""
        return [request for request, _ in self.waiting.values()]

    @property
    def runnable(self) -> bool:
        """Does it wait for Continued? Who takes it over sends that first."""
        return self.status == RUNNING and not self.paused and bool(self.ready)

    @property
    def states(self) -> list[str]:
        """Names of the states that threads are in, outermost first."""
        names: list[str] = []
        frames = [self.root] if self.root and self.status == RUNNING else []
        while frames:
            frame = frames.pop(0)
            if not frame.over:
                names.append(frame.state.name)
                frames.extend(frame.group.frames.values() if frame.group else ())
        return names
