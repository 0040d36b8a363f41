"""Work that is fetched: a worker anywhere takes tasks of an activity and answers by their tokens.

Called by the API. Each task is given to one worker; one that never answers is noticed by the
task's TimeoutSeconds or HeartbeatSeconds.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from typing import Any, Final

from funcflow import starts
from funcflow.compositions.work import Poll
from funcflow.db import approvals as db
from funcflow.db.engine import Database

#: Seconds between looks while there is nothing to do.
LOOK: Final = 0.2


@dataclasses.dataclass(frozen=True, slots=True)
class Taken:
    """A task for a worker."""

    token: str
    input: Any
    execution_id: str


def take(
    database: Database,
    starter: starts.Starter,
    project_id: str,
    activity: str,
    wait: float,
    stopping: threading.Event,
) -> Taken | None:
    """The oldest task of the activity that nobody has; None: there was none within ``wait``
    seconds.

    :raises funcflow.errors.Unavailable: the database is away
    """
    deadline = time.monotonic() + wait
    while True:
        with database.read() as connection:
            there = db.pending(connection, project_id, "activity", name=activity, limit=1)
        found = None
        if there:
            found = database.transact(lambda connection: db.take(connection, project_id, activity))
        if found is not None:
            taken = _taken(starter, found)
            if taken is not None:
                return taken
            continue
        left = deadline - time.monotonic()
        if left <= 0 or stopping.wait(min(LOOK, left)):
            return None


def _taken(starter: starts.Starter, found: db.Asked) -> Taken | None:
    """None: nobody waits for it any more."""
    try:
        _, task = starter.task(found.token)
    except (starts.NoTask, starts.TaskOver):
        return None
    assert isinstance(task.work, Poll)
    return Taken(found.token, task.work.input, found.execution_id)
