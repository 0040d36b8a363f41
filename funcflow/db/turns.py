"""Who is next among what waits, fairly between projects, however many wait.

Used by the modules of executions. Costs what it returns: the heads of the queues are read from
one partial index (shard, project, time, id), and no more of it.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable

import sqlalchemy as sa


class Queues:
    """The rows of ``table`` for which ``condition`` holds: a queue per shard and project, in the
    order of the column ``time``. ``{0}`` in the condition stands for the table's alias."""

    def __init__(self, table: str, condition: str, time: str) -> None:
        self._projects = sa.text(
            f"""
            WITH RECURSIVE waiting(project_id) AS (
              SELECT CAST('' AS TEXT)
              UNION ALL
              SELECT (SELECT MIN(e.project_id) FROM {table} AS e WHERE {condition.format("e.")}
                      AND e.shard = :shard AND e.project_id > waiting.project_id)
              FROM waiting WHERE waiting.project_id IS NOT NULL
            ) SELECT project_id FROM waiting WHERE project_id > ''
            """  # noqa: S608
        )
        condition = condition.format("")
        # Answered from the index alone.
        self._head = sa.text(
            f"SELECT {time}, id FROM {table} WHERE {condition} AND shard = :shard"  # noqa: S608
            f" AND project_id = :project_id AND {time} <= :now ORDER BY {time}, id LIMIT :share"
        )

    def next(
        self, connection: sa.Connection, now: float, limit: int, shards: Iterable[int]
    ) -> list[str]:
        """Ids of those whose time has come: oldest first, by turns between the projects."""
        queues = [
            (shard, project_id)
            for shard in shards
            for project_id in connection.execute(self._projects, {"shard": shard}).scalars()
        ]
        if len(queues) > limit:
            queues = random.sample(queues, limit)
        waiting: dict[str, list[tuple[float, str]]] = {}
        share = -(-limit // max(1, len(queues)))
        while queues:
            # Those that have more than their share may fill what others leave.
            waiting, longer = self._heads(connection, now, queues, share)
            if not longer or sum(map(len, waiting.values())) >= limit:
                break
            share *= 4
        turns = (
            (turn, *key) for queue in waiting.values() for turn, key in enumerate(sorted(queue))
        )
        return [key for _, _, key in heapq.nsmallest(limit, turns)]

    def _heads(
        self, connection: sa.Connection, now: float, queues: Iterable[tuple[int, str]], share: int
    ) -> tuple[dict[str, list[tuple[float, str]]], bool]:
        """The oldest of each queue by project, and whether a queue has more of them."""
        waiting: dict[str, list[tuple[float, str]]] = {}
        longer = False
        for shard, project_id in queues:
            asked = {"shard": shard, "project_id": project_id, "now": now, "share": share}
            head = [(row[0], row[1]) for row in connection.execute(self._head, asked)]
            longer = longer or len(head) == share
            waiting.setdefault(project_id, []).extend(head)
        return waiting, longer
