"""Threads for work that mostly waits: for other machines' answers, for disks.

Used by performers. What finds no thread waits, and projects take turns; one project leaves
some threads free for all others.
"""

from __future__ import annotations

import collections
import logging
import threading
from collections.abc import Callable

LOG = logging.getLogger(__name__)

Job = Callable[[], None]


class Waiters:
    """At most so many threads, made when they are needed. For any thread."""

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._share = max(1, most - most // 8)
        self._ready = threading.Condition()
        self._waiting: collections.OrderedDict[str, collections.deque[Job]] = (
            collections.OrderedDict()
        )
        self._running: collections.Counter[str] = collections.Counter()
        self._idle = 0
        self._threads: list[threading.Thread] = []
        self._stopped = False

    def submit(self, project_id: str, job: Job) -> None:
        """Do a job soon; after ``stop`` never."""
        with self._ready:
            if self._stopped:
                return
            self._waiting.setdefault(project_id, collections.deque()).append(job)
            if self._idle == 0 and len(self._threads) < self._most:
                name = f"{self._name}-{len(self._threads) + 1}"
                thread = threading.Thread(target=self._serve, name=name, daemon=True)
                self._threads.append(thread)
                thread.start()
            else:
                self._ready.notify()

    def stop(self) -> None:
        """Let jobs under way end; forget the others."""
        with self._ready:
            self._stopped = True
            self._ready.notify_all()
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while (taken := self._take()) is not None:
            project_id, job = taken
            try:
                job()
            except Exception:
                LOG.exception("a job of project %s broke", project_id)
            finally:
                self._give(project_id)

    def _take(self) -> tuple[str, Job] | None:
        """The next job, after waiting for one; None at the end."""
        with self._ready:
            while not self._stopped:
                project_id = self._choose()
                if project_id is not None:
                    jobs = self._waiting.pop(project_id)
                    job = jobs.popleft()
                    if jobs:
                        # Behind all others that wait.
                        self._waiting[project_id] = jobs
                    self._running[project_id] += 1
                    return project_id, job
                self._idle += 1
                self._ready.wait()
                self._idle -= 1
        return None

    def _choose(self) -> str | None:
        """The project that runs least; of equal ones the one that waits longest."""
        having_room = (each for each in self._waiting if self._running[each] < self._share)
        return min(having_room, key=self._running.__getitem__, default=None)

    def _give(self, project_id: str) -> None:
        with self._ready:
            self._running[project_id] -= 1
            if not self._running[project_id]:
                del self._running[project_id]
            # This thread looks next, and takes whatever became possible.
