"""How a composition's execution comes into being, gets a job and a holder, and goes again.

Used through :mod:`funcflow.db.composition_executions`. Each operation may be applied again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import ClassVar

from funcflow import models, states
from funcflow.db import composition_moves as moves
from funcflow.db import group


@dataclasses.dataclass(frozen=True, slots=True)
class Inserted:
    """``created`` False: the composition has one of that name; ``execution`` is the older one."""

    execution: models.CompositionExecution
    created: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Insert(group.Op[tuple[Inserted, ...]]):
    """New executions, queued, or (claimed already) running their first attempt.

    One whose id is there already was made by this very operation. ``posted``: jobs for them
    are, or are about to be, on the board. One answer each, in order.
    """

    rank: ClassVar[int] = 110
    executions: tuple[models.CompositionExecution, ...]
    posted: bool

    def __post_init__(self) -> None:
        for execution in self.executions:
            if execution.state not in states.COMPOSITION_OPEN:
                raise ValueError(f"an execution cannot begin as {execution.state}")


@dataclasses.dataclass(frozen=True, slots=True)
class Wake(group.Op[frozenset[str]]):
    """Mark those that wait, or are queued without a job, as queued with a job on the board;
    the ids of those it found. Wake before posting, and ``Unpost`` when the post failed."""

    rank: ClassVar[int] = 120
    ids: Collection[str]
    now: float


@dataclasses.dataclass(frozen=True, slots=True)
class Unpost(group.Op[None]):
    """These have no job after all, as far as they are queued; the feed sees them again."""

    rank: ClassVar[int] = 125
    ids: Collection[str]
    now: float


@dataclasses.dataclass(frozen=True, slots=True)
class Start(moves.OnComposition[models.CompositionExecution | None]):
    """Count the attempt and hold it under a newer claim, taking over from a dead conductor.

    None: unknown, waiting, ended, dead, or a newer claim is there.
    """

    rank: ClassVar[int] = 130
    id: str
    epoch: int
    owner: str
    now: float


@dataclasses.dataclass(frozen=True, slots=True)
class Remove(moves.OnComposition[bool]):
    """Undo an insert whose job could not be posted. False: it is there and was started."""

    rank: ClassVar[int] = 195
    id: str
