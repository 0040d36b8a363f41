"""The threads that held executions share.

Jobs are turns of executions (short) and runs of functions (as long as they take). What a job
leads to is done by the thread that did the job, where nobody is kept waiting by that: a chain
of functions stays in one thread. A caller that waits for an execution may lend its own thread.
"""

from __future__ import annotations

import collections
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
    """At most ``most`` threads, started as they are needed.

    What goes on computing steps back: it is done behind everything else, by ``computing`` threads
    at most, the projects by turns. More would only keep each other, and all others, waiting.
    """

    def __init__(self, most: int, computing: int = 2) -> None:
        self._most = most
        self._most_computing = computing
        self._hands = _Hands()
        #: One for each job that was put; who takes one looks for jobs until there are none.
        self._calls: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._jobs: collections.deque[Job] = collections.deque()
        self._computing = 0
        self._behind: collections.OrderedDict[str, collections.deque[Job]] = (
            collections.OrderedDict()
        )
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._stopped = False

    def turn(self, job: Job, owner: str | None = None) -> None:
        """Do a short job soon."""
        hands = self._hands
        if hands.turn is None and hands.free_for(owner, 0.0):
            hands.turn = job
        else:
            self.soon(job)

    def run(self, job: Job, owner: str | None = None, longest: float = 0.0) -> None:
        """Do a job soon that may take ``longest`` seconds."""
        hands = self._hands
        if hands.run is None and hands.free_for(owner, longest):
            hands.run = job
        else:
            self.soon(job)

    def soon(self, job: Job) -> None:
        """Do a job in whichever thread is free first."""
        with self._lock:
            self._jobs.append(job)
            thread = self._call()
        if thread is not None:
            thread.start()

    def later(self, job: Job, project_id: str) -> None:
        """Go on computing, behind everything else."""
        with self._lock:
            self._behind.setdefault(project_id, collections.deque()).append(job)
            thread = self._call()
        if thread is not None:
            thread.start()

    def lend(self, job: Job, owner: str, until: float) -> None:
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
            self._calls.put(None)
        for thread in threads:
            thread.join()

    def _call(self) -> threading.Thread | None:
        """With the lock held: have a thread look for jobs; a new one to be started, maybe."""
        if self._stopped:
            return None
        self._calls.put(None)
        # Threads that will look for jobs anyway are counted as idle.
        if self._calls.qsize() <= self._idle or len(self._threads) >= self._most:
            return None
        name = f"crew-{len(self._threads) + 1}"
        thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._threads.append(thread)
        return thread

    def _serve(self) -> None:
        while not self._stopped:
            with self._lock:
                self._idle += 1
            self._calls.get()
            with self._lock:
                self._idle -= 1
            while (picked := self._pick()) is not None:
                job, computing = picked
                self._do(job)
                if computing:
                    with self._lock:
                        self._computing -= 1

    def _pick(self) -> tuple[Job, bool] | None:
        """The next job, and whether it is one that goes on computing."""
        with self._lock:
            if self._stopped:
                return None
            if self._jobs:
                return self._jobs.popleft(), False
            if self._behind and self._computing < self._most_computing:
                project_id, jobs = self._behind.popitem(last=False)
                job = jobs.popleft()
                if jobs:
                    # Behind all other projects.
                    self._behind[project_id] = jobs
                self._computing += 1
                return job, True
            return None

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
