"""What others tell an execution of a composition: its inbox, and heartbeats of its tasks.

Used through :mod:`funcflow.db.composition_executions`. The inbox is the truth about what was
told; its holder takes entries into the log and out of the inbox in one transaction.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from funcflow.db import group
from funcflow.states import CompositionState


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """``number`` counts from 1 in each execution. ``text`` is JSON: a signal as
    ``compositions.signals.dump`` writes it, or {"type": "Ended", "id": command,
    "execution_id": …, "kind": "function" or "composition"}; or a reference."""

    execution_id: str
    number: int
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Delivered:
    """``number`` is the last entry's. ``owner`` holds it now, if it runs; what waited is queued
    and needs a job."""

    state: CompositionState
    owner: str | None
    number: int


@dataclasses.dataclass(frozen=True, slots=True)
class Deliver(group.Op[Delivered | None]):
    """Put entries (texts of :class:`Entry`) into its inbox, in order, and wake it if it waits.

    None: unknown, ended or dead. After an unknown outcome entries may be there twice, as signals
    may be: only the first of two answers to a command counts.
    """

    rank: ClassVar[int] = 180
    id: str
    entries: tuple[str, ...]
    now: float


@dataclasses.dataclass(frozen=True, slots=True)
class Heartbeat(group.Op[bool]):
    """A sign of life of the task behind a command. False: the execution is not open."""

    rank: ClassVar[int] = 185
    id: str
    command: int
    now: float
