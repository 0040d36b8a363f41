"""Executions of compositions: every operation on their rows, and every query.

Called by the starter, the conductor, its sweeper and the API. Operations go to
``Database.write`` or ``submit``; queries take a connection of ``Database.read``.
"""

from __future__ import annotations

from funcflow.db.composition_admission import Insert, Inserted, Remove, Start, Unpost, Wake
from funcflow.db.composition_inbox import Deliver, Delivered, Entry, Heartbeat
from funcflow.db.composition_moves import (
    Append,
    Appended,
    Bury,
    Park,
    Redrive,
    Requeue,
    Settle,
    Stay,
)

__all__ = [
    "Append",
    "Appended",
    "Bury",
    "Deliver",
    "Delivered",
    "Entry",
    "Heartbeat",
    "Insert",
    "Inserted",
    "Park",
    "Redrive",
    "Remove",
    "Requeue",
    "Settle",
    "Start",
    "Stay",
    "Unpost",
    "Wake",
]
