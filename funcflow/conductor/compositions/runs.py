"""Functions that run in this conductor as steps of executions it holds.

They share the run slots with everything else that runs here. What finds no slot waits in a
queue, fairly between projects, or is refused, so that it may run elsewhere.
"""

from __future__ import annotations

import collections
import dataclasses
import logging
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from funcflow import models
from funcflow.conductor import ledger, logs, slots
from funcflow.conductor.compositions import crew
from taskflow_flows import invocation as inv
from taskflow_flows import plan, step

LOG = logging.getLogger(__name__)

#: Seconds that stopping a run which timed out, and writing, may take.
GRACE: Final = 10.0


class Ended(Protocol):
    """What becomes of a run; called in the thread that ran it."""

    def __call__(
        self, run: Run, settled: models.Execution | None, logs: tuple[models.LogChunk, ...]
    ) -> None:
        """``settled`` None: the platform failed it."""


@dataclasses.dataclass(slots=True, eq=False)
class Run:
    """A function to be run once."""

    execution: models.Execution
    #: Whose thread may run it, see :meth:`funcflow.conductor.compositions.crew.Crew.run`.
    owner: str
    #: Seconds the function may take.
    timeout: float
    ended: Ended
    invocation: inv.Invocation | None = None
    cancelled: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """What a run is made with."""

    catalog: inv.Catalog
    pools: inv.Pools
    ledger: inv.Ledger
    limits: inv.Limits
    trusts: inv.Trusts | None = None


class Runs:
    """Of one conductor. For any thread."""

    def __init__(
        self,
        parts: Parts,
        shared: slots.Slots,
        threads: crew.Crew,
        *,
        starved: Callable[[], bool],
        freed: Callable[[], None],
    ) -> None:
        """
        :param starved: whether work on the board waits for a slot
        :param freed: called when a slot is free; calls :meth:`pump`
        """
        self._parts = parts
        self._slots = shared
        self._crew = threads
        self._starved = starved
        self._freed = freed
        self._plan = plan.compile_flow(step.make_flow())
        self._lock = threading.Lock()
        self._queues: collections.OrderedDict[str, collections.deque[Run]] = (
            collections.OrderedDict()
        )
        self._queued = 0
        self._running = 0
        self.total = 0

    @property
    def capacity(self) -> int:
        return self._slots.capacity

    def offer(self, run: Run, room: int) -> bool:
        """Run it, or queue it if fewer than ``room`` wait. False: there is no room."""
        project_id = run.execution.project_id
        with self._lock:
            begins = self._queued == 0 and self._take(project_id)
            if not begins:
                if self._queued >= room:
                    return False
                self._queues.setdefault(project_id, collections.deque()).append(run)
                self._queued += 1
        if begins:
            self._begin(run)
        else:
            # A slot may have come free just before it was queued.
            self.pump()
        return True

    def cancel(self, run: Run) -> None:
        """Stop it; it ends with an error Cancelled, or, while it waits, without a word."""
        with self._lock:
            run.cancelled = True
            invocation = run.invocation
        if invocation is not None:
            invocation.cancel()

    def pump(self) -> None:
        """A slot may be free: begin what waits for one."""
        while self._queued:
            with self._lock:
                run = self._choose()
            if run is None:
                return
            self._begin(run)

    def _begin(self, run: Run) -> None:
        longest = self._parts.limits.acquire + run.timeout + GRACE
        self._crew.run(lambda: self._run(run), run.owner, longest)

    def _run(self, run: Run) -> None:
        execution = dataclasses.replace(run.execution, attempts=1, started_at=time.time())
        buffer = logs.LogBuffer(execution.id, execution.attempts)
        parts = self._parts
        invocation = inv.Invocation(
            execution, parts.catalog, parts.pools, parts.ledger, buffer, parts.limits, parts.trusts
        )
        with self._lock:
            run.invocation = invocation
            if run.cancelled:
                invocation.cancelled.set()
        settled: models.Execution | None = None
        try:
            outcome = self._plan.run({"invocation": invocation})["outcome"]
            settled = ledger.settled_of(invocation, outcome)
        except Exception as exc:
            LOG.warning("step %s: it is run as a job: %s", execution.id, exc)
        finally:
            self._give(execution.project_id)
        run.ended(run, settled, buffer.rest())
        # After the answer, so that this thread goes on with what follows from it.
        self._freed()

    def _give(self, project_id: str) -> None:
        self._slots.give(project_id)
        with self._lock:
            self._running -= 1
            self.total += 1

    def _take(self, project_id: str) -> bool:
        """Take a slot; half of them are for the board while it waits for some."""
        if self._running >= max(1, self.capacity // 2) and self._starved():
            return False
        if not self._slots.take(project_id):
            return False
        self._running += 1
        return True

    def _choose(self) -> Run | None:
        """The next that waits, with a slot taken: the projects by turns."""
        for project in list(self._queues):
            queue = self._queues[project]
            while queue and queue[0].cancelled:
                queue.popleft()
                self._queued -= 1
            if not queue:
                del self._queues[project]
            elif self._take(project):
                self._queues.move_to_end(project)
                self._queued -= 1
                return queue.popleft()
        return None
