"""Calls a minute: one operation that counts a call, if there may be another one.

Used by :mod:`funcflow.submit` for projects whose rate is limited. Calls are counted per second
and summed over the last 60, so in no minute there are more than may be.
"""

from __future__ import annotations

import collections
import dataclasses
import json
from collections.abc import Sequence
from typing import ClassVar

import sqlalchemy as sa

from funcflow.db import group, locks, tenancy_tables

_t = tenancy_tables.rates
WINDOW = 60


@dataclasses.dataclass(frozen=True, slots=True)
class Take(group.Op[float]):
    """Count a call at ``now`` (seconds since the epoch). 0: it may be; else the seconds until
    there may be another one, and nothing was counted."""

    rank: ClassVar[int] = 5
    project_id: str
    limit: int
    now: float

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Take]) -> list[float]:
        by_project: dict[str, list[Take]] = collections.defaultdict(list)
        for op in ops:
            by_project[op.project_id].append(op)
        answers: dict[int, float] = {}
        for project_id in sorted(by_project):  # in one order everywhere, so that none deadlock
            _take(batch.connection, project_id, by_project[project_id], answers)
        return [answers[id(op)] for op in ops]


def _take(
    connection: sa.Connection, project_id: str, ops: Sequence[Take], answers: dict[int, float]
) -> None:
    locks.hold(connection, f"rate of {project_id}")
    mine = _t.c.project_id == project_id
    kept = connection.execute(sa.select(_t.c.seconds).where(mine)).scalar()
    seconds = {int(second): count for second, count in json.loads(kept or "{}").items()}
    for op in ops:
        second = int(op.now)
        # A clock that was ahead must not count against the future.
        seconds = {s: n for s, n in seconds.items() if second - WINDOW <= s <= second + WINDOW}
        if sum(seconds.values()) < op.limit:
            seconds[second] = seconds.get(second, 0) + 1
            answers[id(op)] = 0.0
        else:
            oldest = min(seconds, default=second)
            answers[id(op)] = max(1.0, oldest + WINDOW + 1 - op.now)
    text = json.dumps(seconds)
    if kept is None:
        connection.execute(sa.insert(_t).values(project_id=project_id, seconds=text))
    else:
        connection.execute(sa.update(_t).where(mine).values(seconds=text))
