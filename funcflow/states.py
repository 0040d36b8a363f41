"""The lives of executions, of functions and of compositions, as tables.

Read by the database (every change of state is a compare-and-set on a row of
a table), by the conductor (which moves) and by the API (which words to show).
``doc/promises.md`` shows the same tables; a test holds them together.
"""

from __future__ import annotations

import enum


class State(enum.StrEnum):
    """Where an execution is. Stored by value."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"
    DEAD = "dead"


#: Terminal: the outcome is settled and never changes again.
SETTLED = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.LOST})
#: Somebody owes these a next step (an owner or a deadline).
OPEN = frozenset({State.QUEUED, State.RUNNING})

#: Every allowed move, with its reason.
TRANSITIONS: dict[tuple[State, State], str] = {
    (
        State.QUEUED,
        State.RUNNING,
    ): "a conductor holds the claim and counted the attempt",
    (State.QUEUED, State.CANCELLED): "the caller cancelled before it started",
    (State.QUEUED, State.DEAD): "it waited longer than its maximum age, or is poison",
    (State.RUNNING, State.RUNNING): "a newer claim took over from a dead conductor",
    (State.RUNNING, State.QUEUED): "the platform failed it; it waits for its back-off",
    (State.RUNNING, State.SUCCEEDED): "the function returned",
    (State.RUNNING, State.FAILED): "the function raised, timed out or hit a limit",
    (State.RUNNING, State.CANCELLED): "the caller cancelled while it ran",
    (State.RUNNING, State.LOST): "at-most-once: its conductor died, it is not re-run",
    (State.RUNNING, State.DEAD): "the platform failed it as often as is allowed",
    (State.DEAD, State.QUEUED): "an operator or the owner redrove it",
}

#: The words of Qinling's v1 API (``status``), which existing clients read.
V1_STATUS: dict[State, str] = {
    State.QUEUED: "running",
    State.RUNNING: "running",
    State.SUCCEEDED: "success",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
    State.LOST: "error",
    State.DEAD: "error",
}


def allowed(before: State, after: State) -> bool:
    """Whether the table has the move."""
    return (before, after) in TRANSITIONS


class CompositionState(enum.StrEnum):
    """Where an execution of a composition is. Stored by value."""

    QUEUED = "queued"
    RUNNING = "running"
    #: Parked: in nobody's memory, on no board; a time or an entry of its inbox wakes it.
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    ABORTED = "aborted"
    DEAD = "dead"


#: Ended with an outcome, which only a redrive undoes.
COMPOSITION_SETTLED = frozenset(
    {
        CompositionState.SUCCEEDED,
        CompositionState.FAILED,
        CompositionState.TIMED_OUT,
        CompositionState.ABORTED,
    }
)
#: Somebody, or a time, owes these a next step.
COMPOSITION_OPEN = frozenset(
    {CompositionState.QUEUED, CompositionState.RUNNING, CompositionState.WAITING}
)

#: Every allowed move of a composition's execution, with its reason.
COMPOSITION_TRANSITIONS: dict[tuple[CompositionState, CompositionState], str] = {
    (
        CompositionState.QUEUED,
        CompositionState.RUNNING,
    ): "a conductor holds the claim and counted the attempt",
    (CompositionState.QUEUED, CompositionState.DEAD): "it is poison",
    (
        CompositionState.RUNNING,
        CompositionState.RUNNING,
    ): "a newer claim took over from a dead conductor",
    (
        CompositionState.RUNNING,
        CompositionState.QUEUED,
    ): "its conductor gave it back; it waits for its back-off",
    (
        CompositionState.RUNNING,
        CompositionState.WAITING,
    ): "all that it waits for is far away",
    (CompositionState.RUNNING, CompositionState.SUCCEEDED): "it came to its end",
    (CompositionState.RUNNING, CompositionState.FAILED): "a state failed and nothing caught it",
    (CompositionState.RUNNING, CompositionState.TIMED_OUT): "it took longer than it may",
    (CompositionState.RUNNING, CompositionState.ABORTED): "somebody stopped it",
    (
        CompositionState.RUNNING,
        CompositionState.DEAD,
    ): "the platform failed it as often as is allowed, without a step forward",
    (
        CompositionState.WAITING,
        CompositionState.QUEUED,
    ): "its time has come, or somebody told it something",
    (CompositionState.FAILED, CompositionState.QUEUED): "somebody redrove it",
    (CompositionState.TIMED_OUT, CompositionState.QUEUED): "somebody redrove the timed out",
    (CompositionState.ABORTED, CompositionState.QUEUED): "somebody redrove the stopped",
    (CompositionState.DEAD, CompositionState.QUEUED): "somebody redrove the dead letter",
}

#: AWS's words (``status``), which clients of compositions read.
COMPOSITION_STATUS: dict[CompositionState, str] = {
    CompositionState.QUEUED: "RUNNING",
    CompositionState.RUNNING: "RUNNING",
    CompositionState.WAITING: "RUNNING",
    CompositionState.SUCCEEDED: "SUCCEEDED",
    CompositionState.FAILED: "FAILED",
    CompositionState.TIMED_OUT: "TIMED_OUT",
    CompositionState.ABORTED: "ABORTED",
    CompositionState.DEAD: "FAILED",
}


def composition_allowed(before: CompositionState, after: CompositionState) -> bool:
    """Whether the table of compositions has the move."""
    return (before, after) in COMPOSITION_TRANSITIONS
