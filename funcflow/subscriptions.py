"""Who is told of every step of executions, and what there is to be told: shared words.

Subscriptions are made by the API and kept by :mod:`funcflow.db.subscriptions`; what they are to
be told is written with the change of state by :mod:`funcflow.db.watchers`, and told by
:mod:`funcflow.conductor.notices`.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any, Final, Literal

#: What an execution is of.
Kind = Literal["function", "composition"]

#: States that an execution may be told to be in: all, and the ends among them.
OPEN: Final = ("queued", "running", "waiting")
ENDS: Final = (
    "succeeded", "failed", "timed_out", "cancelled", "aborted", "lost", "dead",
)  # fmt: skip
STATES: Final = (*OPEN, *ENDS)
#: Stands for every state in what users send.
ANY: Final = "any"
#: What of an execution is only told to who asks for it.
PARTS: Final = ("input", "output")

#: The operator's own lanes: every change of state, and a record of each finished execution. They
#: are several each, so that several conductors may serve them.
EXECUTIONS: Final = "executions"
USAGE: Final = "usage"
SLOTS: Final = 4


@dataclasses.dataclass(frozen=True, slots=True)
class Destination:
    """Where it is told. ``http``: url and mode (structured or binary); ``zaqar``: queue and ttl."""

    type: Literal["http", "zaqar"]
    configuration: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A project's wish to be told."""

    id: str
    #: Unique in the project.
    name: str | None = None
    description: str = ""
    project_id: str
    enabled: bool = True
    #: Why it is not enabled, when nobody disabled it.
    reason: str | None = None
    #: Of what: one function or composition, all of a kind, or (None) all of the project.
    kind: Kind | None = None
    target_id: str | None = None
    states: tuple[str, ...] = ENDS
    destination: Destination
    #: Some of :data:`PARTS`.
    include: tuple[str, ...] = ()
    #: What its secret is derived from; changes when the secret does.
    salt: str = dataclasses.field(default="", repr=False)
    created_at: float
    updated_at: float | None = None


class Stage(enum.StrEnum):
    """How far a notice is. Stored by value; told ones are gone."""

    DUE = "due"
    #: It was tried for too long, and is kept to be seen, or told after all.
    DEAD = "dead"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One change of state that is still to be told on one lane. Ids grow with the changes of an
    execution."""

    id: int
    #: The subscription's id, or one of the operator's.
    lane: str
    project_id: str
    execution_id: str
    kind: Kind
    state: str
    #: The state before; None: it began.
    previous: str | None
    #: What was known of the execution then: see :mod:`funcflow.db.facts`.
    facts: Mapping[str, Any]
    stage: Stage
    attempts: int
    due_at: float
    reason: str | None
    created_at: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """All that is to be told to one destination. ``due_at`` also says which claim is the last."""

    id: str
    due_at: float
    #: Rounds in a row in which the destination was away.
    attempts: int
