"""What the parts of composition keeping are made from, by the conductor."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from funcflow import definitions, offload
from funcflow.conductor import runner, slots
from funcflow.conductor.compositions import crew
from funcflow.db.engine import Database
from funcflow.jobboards import base as board_base


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    #: Of the conductor incarnation: the owner of what it holds.
    name: str
    database: Database
    board: board_base.Board
    definitions: definitions.Definitions
    texts: offload.Offload
    policy: runner.Policy
    #: Room for executions in memory.
    slots: slots.Slots
    crew: crew.Crew
    #: The wall clock.
    clock: Callable[[], float]
    #: Seconds a wait must last at least to be parked.
    park_after: float
    #: Jobs a shard of the board holds at most.
    window: int
    #: Called when there is room for another execution.
    freed: Callable[[], None]
