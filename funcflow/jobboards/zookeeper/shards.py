"""The shards a member watches: what is free on them, and which claims are ours.

Called by :mod:`.board`. A listing is a picture of the past: what we claimed or removed
since it was asked for is left out, whatever it shows.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from funcflow.jobboards import base, tickets, waiting
from funcflow.jobboards.zookeeper import layout as zookeeper_layout
from funcflow.jobboards.zookeeper import watcher as zookeeper_watcher

LOCK = zookeeper_layout.LOCK

#: How many listings were sent, per shard.
Moment = Mapping[int, int]


class Shards:
    """Thread-safe."""

    def __init__(
        self,
        count: int,
        layout: zookeeper_layout.Layout,
        watcher: zookeeper_watcher.Watcher,
    ) -> None:
        self.on_jobs: Callable[[], None] = lambda: None
        self._layout = layout
        self._watcher = watcher
        self._lock = threading.Lock()
        self._waiting = waiting.Waiting(count)
        self._watched: dict[int, dict[str, base.Ticket | None]] = {}
        #: Per watched shard, executions claimed or removed since the last listing was sent.
        self._touched: dict[int, set[str]] = {}
        #: Listings sent so far, per shard.
        self._sent_counts: Counter[int] = Counter()

    def watched(self) -> list[int]:
        return sorted(self._watched)

    def watch(self, wanted: Iterable[int]) -> None:
        """Watch these shards and no others."""
        target = set(wanted)
        for shard in set(self._watched) - target:
            self._watcher.remove(self._layout.jobs(shard))
            with self._lock:
                del self._watched[shard]
                self._waiting.replace(shard, {})
        for shard in target - set(self._watched):
            with self._lock:
                self._watched[shard] = {}
                self._touched[shard] = set()
            self._watch(shard)

    def _watch(self, shard: int) -> None:
        self._watcher.add(
            self._layout.jobs(shard),
            listed=lambda names: self._listed(shard, names),
            sent=lambda: self._sent(shard),
        )

    def _sent(self, shard: int) -> None:
        with self._lock:
            self._touched[shard] = set()
            self._sent_counts[shard] += 1

    def _listed(self, shard: int, names: list[str]) -> None:
        with self._lock:
            known = self._watched.get(shard)
            if known is None:
                return
            jobs, self._watched[shard] = free_jobs(names, known)
            for execution_id in self._touched[shard]:
                jobs.pop(execution_id, None)
            news = self._waiting.replace(shard, jobs)
        if news:
            self.on_jobs()

    def moment(self) -> Moment:
        """To be asked for before jobs are claimed or removed, and given to :meth:`touch`."""
        with self._lock:
            return dict(self._sent_counts)

    def touch(self, shard: int, execution_ids: Iterable[str], since: Moment) -> None:
        """These were claimed or gone at some time after the moment ``since``.

        They may be free again by now, and a listing that was sent meanwhile may say so: it is not
        believed, but another one is asked for, or they would be free without anybody's notice.
        """
        with self._lock:
            if shard not in self._watched:
                return
            for execution_id in execution_ids:
                self._waiting.remove(shard, execution_id)
                self._touched[shard].add(execution_id)
            missed = self._sent_counts[shard] != since.get(shard, 0)
        if missed:
            self._watcher.look(self._layout.jobs(shard))

    def given_back(self, shard: int, ticket: base.Ticket) -> None:
        """It can be claimed again."""
        with self._lock:
            if shard not in self._watched:
                return
            self._touched[shard].discard(ticket.execution_id)
            self._waiting.add(shard, ticket)
        self.on_jobs()

    def oldest_first(self, shards: Iterable[int]) -> list[base.Ticket]:
        with self._lock:
            return self._waiting.oldest_first(shards)

    def depth(self, shards: Iterable[int]) -> int:
        with self._lock:
            return self._waiting.depth(shards)


def free_jobs(
    names: list[str], known: dict[str, base.Ticket | None]
) -> tuple[dict[str, base.Ticket], dict[str, base.Ticket | None]]:
    """Free jobs by execution, and every job's ticket by name (None: not ours).

    ``known`` is the latter of the listing before: only new names are taken apart.
    """
    locked = {name[: -len(LOCK)] for name in names if name.endswith(LOCK)}
    jobs: dict[str, base.Ticket] = {}
    now: dict[str, base.Ticket | None] = {}
    for name in names:
        if name.endswith(LOCK):
            continue
        ticket = known[name] if name in known else tickets.from_name(name)
        now[name] = ticket
        if ticket is not None and name not in locked:
            jobs[ticket.execution_id] = ticket
    return jobs, now
