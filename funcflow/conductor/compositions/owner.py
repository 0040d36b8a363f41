"""What a held execution needs of whoever holds it: the keeper, or a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from funcflow.conductor.compositions import base, crew, timers
from funcflow.conductor.compositions.inbox import Inbox
from funcflow.db import composition_executions as db
from funcflow.db.engine import Database

if TYPE_CHECKING:
    from funcflow.conductor.compositions.holder import Holder


class Owner(Protocol):
    """What a holder needs of the keeper. What a holder tells it ends the holder."""

    crew: crew.Crew
    timers: timers.Timers
    inbox: Inbox
    database: Database
    #: Seconds a wait must last at least to be parked.
    park_after: float
    #: Nothing new is to be begun here: executions are to go on elsewhere.
    draining: bool

    def now(self) -> float:
        """The wall clock."""

    @property
    def crowded(self) -> bool:
        """Others wait for room in memory."""

    def performer(self, name: str) -> base.Performer: ...

    def settled(self, holder: Holder, outcome: db.Settle) -> None: ...

    def parked(self, holder: Holder) -> None: ...

    def refused(self, holder: Holder) -> None:
        """An append did not fit: somebody else holds it, or it is not as we think."""

    def broke(self, holder: Holder, exc: Exception) -> None:
        """The platform failed it."""

    def give_back(self, holder: Holder) -> None:
        """It is to go on elsewhere."""
