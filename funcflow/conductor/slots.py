"""Who may run how much at the same time, and whose turn is next.

Pure accounting, used by the dispatcher (board work) and the hand-over (synchronous
calls) of one conductor.
"""

from __future__ import annotations

import collections
import heapq
import threading
from collections.abc import Iterable, Mapping
from typing import TypeVar

from funcflow.jobboards import base as board_base

T = TypeVar("T")


class Slots:
    """Room for ``capacity`` runs.

    Board work leaves a quarter free for synchronous callers, and one project leaves an
    eighth free for all others, so that neither a backlog nor a neighbour can shut the door.
    """

    def __init__(self, capacity: int, weights: Mapping[str, float] | None = None) -> None:
        self.capacity = capacity
        self.board_capacity = max(1, capacity - capacity // 4)
        self.project_capacity = max(1, capacity - capacity // 8)
        self._weights = dict(weights or {})
        self._lock = threading.Lock()
        self._running: collections.Counter[str] = collections.Counter()
        self._total = 0

    def take(self, project_id: str) -> bool:
        """Take a slot for a synchronous call; False when there is none."""
        with self._lock:
            if self._total >= self.capacity or self._running[project_id] >= self.project_capacity:
                return False
            self._add(project_id, 1)
            return True

    def force(self, project_id: str) -> None:
        """Take a slot although there may be none, for what ends at once."""
        with self._lock:
            self._add(project_id, 1)

    def give(self, project_id: str) -> None:
        """Give a slot back."""
        with self._lock:
            self._add(project_id, -1)

    @property
    def running(self) -> int:
        return self._total

    def choose(self, waiting: Iterable[board_base.Ticket]) -> list[board_base.Ticket]:
        """Take slots for the tickets whose turn it is, and return them.

        ``waiting`` is oldest first. The next slot goes to the project that runs least for
        its weight; within a project the oldest goes first.
        """
        with self._lock:
            free = self.board_capacity - self._total
            if free <= 0:
                return []
            queues: dict[str, collections.deque[board_base.Ticket]] = {}
            for ticket in waiting:
                queues.setdefault(ticket.project_id, collections.deque()).append(ticket)
            heap = [(self._load(project), project) for project in queues]
            heapq.heapify(heap)
            chosen: list[board_base.Ticket] = []
            while heap and len(chosen) < free:
                _, project = heapq.heappop(heap)
                if self._running[project] >= self.project_capacity:
                    continue
                chosen.append(queues[project].popleft())
                self._add(project, 1)
                if queues[project]:
                    heapq.heappush(heap, (self._load(project), project))
            return chosen

    def _load(self, project_id: str) -> float:
        return self._running[project_id] / max(self._weights.get(project_id, 1.0), 0.01)

    def _add(self, project_id: str, count: int) -> None:
        self._total += count
        self._running[project_id] += count
        if not self._running[project_id]:
            del self._running[project_id]
