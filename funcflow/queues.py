"""How many executions may wait: the bound of every queue.

Used by whoever accepts executions: of functions, of compositions, and of those that
compositions start themselves.
"""

from __future__ import annotations

import time
from typing import Final

from oslo_config import cfg

from funcflow import errors
from funcflow.db import tallies
from funcflow.db.engine import Database

#: Seconds the number of queued executions is remembered.
AGE: Final = 0.1


class Queues:
    """The executions of one kind that wait, of each project and of all. For any thread."""

    def __init__(self, conf: cfg.ConfigOpts, database: Database, kind: tallies.Kind) -> None:
        self._conf = conf
        self._database = database
        self._kind = kind
        #: Project (None: all) to when it was read, and the count.
        self._known: dict[str | None, tuple[float, int]] = {}

    def check(self, project_id: str, more: int = 1) -> None:
        """:raises funcflow.errors.TooMany: there is no room for ``more`` of the project"""
        conductor = self._conf.conductor
        for key, most in (
            (project_id, conductor.max_queued_per_project),
            (None, conductor.max_queued),
        ):
            if self._count(key, more) + more > most:
                whose = "all projects" if key is None else "the project"
                raise errors.TooMany(
                    f"{most} executions of {whose} are waiting already",
                    code="queue_full",
                    retry_after=2.0,
                )

    def _count(self, key: str | None, more: int) -> int:
        """Queued executions, at most a moment old, counting those accepted since."""
        now = time.monotonic()
        read_at, count = self._known.get(key, (-AGE, 0))
        if now - read_at >= AGE:
            with self._database.read() as conn:
                count = tallies.queued(conn, key, self._kind)
            read_at = now
        self._known[key] = (read_at, count + more)
        return count
