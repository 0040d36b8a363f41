"""How many jobs shards hold that are not watched from here. Called by :mod:`.board`.

Posters ask before every post whether there is room, so the answer must cost nothing: it is
the server's count of at most half a second ago, and what was posted from here since.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from typing import Any

from funcflow.jobboards.zookeeper import layout as zookeeper_layout
from funcflow.jobboards.zookeeper import link as zookeeper_link

#: Seconds a count is good for.
AGE = 0.5


@dataclasses.dataclass(slots=True)
class _Count:
    asked_at: float = float("-inf")
    #: Nodes, as the server counted them; a claimed job is two.
    nodes: int = 0
    #: Posted from here since the server was asked.
    since: int = 0


class Depths:
    """Thread-safe; never waits for the server."""

    def __init__(self, link: zookeeper_link.Link, layout: zookeeper_layout.Layout) -> None:
        self._link = link
        self._layout = layout
        self._lock = threading.Lock()
        self._counts: dict[int, _Count] = {}

    def posted(self, shard: int, count: int) -> None:
        """So many were posted from here."""
        with self._lock:
            self._counts.setdefault(shard, _Count()).since += count

    def of(self, shard: int) -> int:
        """Jobs on the shard, claimed ones perhaps counted twice."""
        now = time.monotonic()
        with self._lock:
            count = self._counts.setdefault(shard, _Count())
            ask = now - count.asked_at > AGE and self._link.connected
            if ask:
                count.asked_at = now
            before = count.since
        if ask:
            reply = self._link.client.exists_async(self._layout.jobs(shard))
            reply.rawlink(lambda done: self._answered(count, before, done))
        return count.nodes + count.since

    def _answered(self, count: _Count, before: int, reply: Any) -> None:
        if not reply.successful():
            return  # Asked again in a moment.
        stat = reply.get_nowait()
        with self._lock:
            count.nodes = stat.numChildren if stat is not None else 0
            # What was posted before the question is in the answer.
            count.since -= before
