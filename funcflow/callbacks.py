"""Who is to be told once that an execution ended, and how it is told.

Asked for by the API, kept beside the execution by :mod:`funcflow.db.callbacks`, and done by
:mod:`funcflow.conductor.callbacks`.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Final, Literal

#: What an execution is of.
Source = Literal["function", "composition"]


class Kind(enum.StrEnum):
    """How it is told. Stored by value."""

    #: ``action_execution_id`` of an asynchronous action of Mistral is completed;
    #: ``workflow_execution_id``, if given, is what waits for it.
    MISTRAL = "mistral"


class Stage(enum.StrEnum):
    """How far it is. Stored by value; told ones are gone."""

    #: The execution is open.
    WAITING = "waiting"
    #: It ended, and somebody is to be told.
    DUE = "due"
    #: Nobody could be told for too long.
    DEAD = "dead"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the caller asked for, which is kept beside its execution."""

    kind: Kind
    target: Mapping[str, str]
    #: Seconds until somebody looks whether it is wanted still.
    look_after: float = 5.0
    #: Sealed (:mod:`funcflow.seals`): the token of the asker; None: nobody asked for one.
    token: str | None = dataclasses.field(default=None, repr=False)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """One that is kept. ``due_at`` also says which claim on it is the last."""

    execution_id: str
    kind: Kind
    target: Mapping[str, str]
    token: str | None = dataclasses.field(repr=False)
    source: Source
    project_id: str
    stage: Stage
    attempts: int
    #: When to look at it next; None: never.
    due_at: float | None
    #: Why it was not told yet.
    reason: str | None
    created_at: float
    #: When the execution ended.
    ended_at: float | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How an execution ended. ``output``: JSON text, when it succeeded."""

    execution_id: str
    output: str | None = None
    #: Type and message; None when it succeeded.
    error: tuple[str, str] | None = None
    cancelled: bool = False
    #: Seconds it ran.
    duration: float = 0.0


#: What the tokens of callbacks are sealed for.
PURPOSE: Final = "callbacks"
#: The end of an execution of which nothing is known any more.
DELETED: Final = ("Deleted", "the execution was deleted")
