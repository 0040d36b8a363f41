"""Steps of projects that may make so many calls a minute: they wait where others are refused.

Used by :mod:`.functions`. A step that waits is asked for anew when there may be another call;
until then its execution is held here, so a crash loses nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from funcflow import models
from funcflow.conductor import catalog
from funcflow.conductor.compositions import timers
from funcflow.db import rates
from funcflow.db.engine import Database


class Pace:
    """Of one conductor. For any thread."""

    def __init__(self, known: catalog.Catalog, database: Database, timers: timers.Timers) -> None:
        self._catalog = known
        self._database = database
        self._timers = timers

    def hold(
        self, row: models.CompositionExecution, step: int, now: float, again: Callable[[], None]
    ) -> bool:
        """Count a call. True: there may be none now, and ``again`` is called later.

        :raises funcflow.errors.Unavailable: nobody can say
        """
        limit = self._catalog.calls_a_minute(row.project_id)
        if limit < 0:
            return False
        wait = self._database.write(rates.Take(row.project_id, limit, now))
        if wait <= 0:
            return False
        # Not all at the same moment: few of them will have their turn then.
        due = now + wait + random.uniform(0.0, 1.0)
        self._timers.set((self, row.id, step), due, again)
        return True

    def forget(self, row: models.CompositionExecution, step: int) -> None:
        """Nobody waits for the step any more."""
        self._timers.cancel((self, row.id, step))
