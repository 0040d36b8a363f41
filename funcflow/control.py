"""What the API may ask of conductors, apart from running something.

Implemented in process (embedded) and over the hand-over connection (spread out), both in
:mod:`funcflow.conductor`. The API names no conductor; the implementation asks all of them.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol

from funcflow import models


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WorkerInfo:
    """One live worker."""

    worker_name: str
    conductor: str
    function_id: str
    revision: int
    #: Runs it has now.
    busy: int
    #: Its memory limit, in bytes.
    memory: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Capacity:
    """Room of a runtime's pool: workers that may exist, and how many more could start."""

    total: int
    available: int


class Control(Protocol):
    """Errors: :class:`funcflow.errors.Unavailable` when no conductor answers."""

    def workers(self, function_id: str, revision: int | None = None) -> list[WorkerInfo]:
        """Workers of the function (of one revision), on every conductor."""

    def scale(self, revision: models.Revision, count: int) -> int:
        """Start (count > 0) or stop (count < 0, idle first, at least one stays) workers;
        returns how many there are afterwards."""

    def detach(self, function_id: str, revision: int | None = None) -> int:
        """Stop all workers of the function; running calls end first, for a grace."""

    def capacity(self, language: str) -> Capacity:
        """Room for workers of a language, over all conductors."""

    def cancel(self, execution_id: str) -> None:
        """Stop the run, wherever it is. The row is already cancelled; best effort."""
