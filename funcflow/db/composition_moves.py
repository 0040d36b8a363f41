"""How a composition's execution goes on: operations of whoever holds it, and its end.

Used through :mod:`funcflow.db.composition_executions`. What the holder knows is a fold of the
log, so an append says where it continues the log and the inbox; one that does not fit changes
nothing. Each operation may be applied again.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar, TypeVar

from funcflow import models
from funcflow.db import group
from funcflow.states import CompositionState

T = TypeVar("T")


class OnComposition(group.Op[T]):
    """An operation on the one composition execution ``id``."""

    __slots__ = ()
    id: str

    @property
    def key(self) -> str | None:
        return self.id


@dataclasses.dataclass(frozen=True, slots=True)
class Stay:
    """The holder keeps it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Park:
    """Nobody holds it until ``wake_at``, or until its inbox gets an entry (None: only then)."""

    wake_at: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """It ended. ``output``: JSON text or a reference."""

    state: CompositionState
    output: str | None = None
    error: str | None = None
    cause: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Appended:
    """The append took. ``parked`` False after :class:`Park`: entries came meanwhile, it still
    runs under this claim. ``deliveries``: entries its inbox ever got, as of now."""

    parked: bool
    deliveries: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Append(OnComposition[Appended | None]):
    """Signals for the log, taken from the inbox or not, and what becomes of the execution.

    None: another claim holds it, it ended, or ``first`` and ``consumed`` do not continue the
    row (read it again). Nothing is written then. An append with signals resets the attempts. A
    settled child tells its parent's inbox. Applied again it answers as the first time.

    ``first``: number of the first of ``signals`` (JSON texts or references), or, without any, of
    the next: the row's ``sequence`` + 1. ``consumed``: entries taken from the inbox altogether,
    these ``taken`` included; they are deleted. ``records``: settled function executions that
    ran on the way, to be shown as rows of their own, with ``logs`` as (execution id, chunks).
    ``paused`` and ``redrives``: as they are after the signals.
    """

    rank: ClassVar[int] = 140
    id: str
    epoch: int
    owner: str
    first: int
    signals: tuple[str, ...] = ()
    consumed: int
    taken: int = 0
    then: Stay | Park | Settle = Stay()
    records: tuple[models.Execution, ...] = ()
    logs: tuple[tuple[str, tuple[models.LogChunk, ...]], ...] = ()
    paused: bool
    redrives: int
    now: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Requeue(OnComposition[bool]):
    """The holder gives it back until ``not_before``; it needs a new job then.
    ``count_attempt`` False gives the attempt back. False: another claim holds it, or it ended."""

    rank: ClassVar[int] = 150
    id: str
    epoch: int
    owner: str
    not_before: float
    reason: str
    count_attempt: bool = True
    now: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bury(OnComposition[bool]):
    """Dead-letter it: what runs under this claim or, without a claim, what is queued. Its
    parent is told."""

    rank: ClassVar[int] = 170
    id: str
    epoch: int | None = None
    owner: str | None = None
    reason: str
    now: float


@dataclasses.dataclass(frozen=True, slots=True)
class Redrive(OnComposition[bool]):
    """Queue again what ended without success, with ``Redriven`` in its inbox, or a dead letter
    as it was. It needs a new job. False: it is neither, or unknown."""

    rank: ClassVar[int] = 190
    id: str
    now: float
