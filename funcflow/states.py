"""The life of an execution, as a table.

Read by the database (every change of state is a compare-and-set on a row of
this table), by the conductor (which moves) and by the API (which words to show).
``doc/promises.md`` shows the same table; a test holds the two together.
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
