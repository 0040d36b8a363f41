"""The threads that held executions share.

Jobs are turns of executions (short) and runs of functions (as long as they take). What a job
leads to is done by the thread that did the job, where nobody is kept waiting by that: a chain
of functions stays in one thread. A caller that waits for an execution may lend its own thread.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable

LOG = logging.getLogger(__name__)

Job = Callable[[], None]


class _Hands(threading.local):
    """What the current thread does next: a turn, then a run. At most one of each, so that
    nothing waits behind a run."""

    working = False
    turn: Job | None = None
    run: Job | None = None
    #: A lent thread works for this owner only, and begins no run that may end after this.
    owner: str | None = None
    until = 0.0

    def free_for(self, owner: str | None, longest: float) -> bool:
        if not self.working:
            return False
        if self.owner is None:
            return True
        return owner == self.owner and time.monotonic() + longest <= self.until


class Crew:
    """At most ``most`` threads, started as they are needed."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._hands = _Hands()
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._stopped = False

    def turn(self, job: Job, owner: str | None = None) -> None:
        """Do a short job soon."""
        hands = self._hands
        if hands.turn is None and hands.free_for(owner, 0.0):
            hands.turn = job
        else:
            self.later(job)

    def run(self, job: Job, owner: str | None = None, longest: float = 0.0) -> None:
        """Do a job soon that may take ``longest`` seconds."""
        hands = self._hands
        if hands.run is None and hands.free_for(owner, longest):
            hands.run = job
        else:
            self.later(job)

    def later(self, job: Job) -> None:
        """Do a job behind all that waits already."""
        with self._lock:
            if self._stopped:
                return
            self._jobs.put(job)
            # Threads that will look at the queue anyway are counted as idle.
            if self._jobs.qsize() <= self._idle or len(self._threads) >= self._most:
                return
            number = len(self._threads) + 1
            thread = threading.Thread(target=self._serve, name=f"crew-{number}", daemon=True)
            self._threads.append(thread)
        thread.start()

    def lend(self, job: Job, owner: str | None, until: float) -> None:
        """Do a job and what it leads to for this owner in the calling thread, as long as no
        part of it may go on after ``until`` (monotonic)."""
        hands = self._hands
        hands.owner, hands.until = owner, until
        try:
            self._do(job)
        finally:
            hands.owner = None

    def stop(self) -> None:
        """Let jobs under way end; forget the others."""
        with self._lock:
            self._stopped = True
            threads = list(self._threads)
        for _ in threads:
            self._jobs.put(None)
        for thread in threads:
            thread.join()

    def _serve(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            job = self._jobs.get()
            with self._lock:
                self._idle -= 1
                if self._stopped:
                    return
            if job is not None:
                self._do(job)

    def _do(self, job: Job) -> None:
        hands = self._hands
        next_: Job | None = job
        hands.working = True
        try:
            while next_ is not None:
                try:
                    next_()
                except Exception:
                    LOG.exception("a job of a composition's execution broke")
                if hands.turn is not None:
                    next_, hands.turn = hands.turn, None
                else:
                    next_, hands.run = hands.run, None
        finally:
            hands.working = False
