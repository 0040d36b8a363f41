"""Wakes what waits for a time of the wall clock, on one thread.

Used for executions that are held: their timers and the deadlines of their tasks. Those that are
parked are the feed's. The clock is looked at anew several times a second, so its jumps do not
matter, neither forward nor backward.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
from collections.abc import Callable, Hashable

LOG = logging.getLogger(__name__)

#: Seconds until the clock is looked at again at the latest.
LOOK = 0.25

Fire = Callable[[], None]


class Timers:
    """Calls back when a time has come, from its own thread: callbacks must not block."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ready = threading.Condition()
        self._heap: list[tuple[float, int, Hashable]] = []
        #: Key to the entry that counts, and what to do.
        self._live: dict[Hashable, tuple[int, Fire]] = {}
        self._numbers = itertools.count()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="timers", daemon=True)
        self._thread.start()

    def set(self, key: Hashable, due: float, fire: Fire) -> None:
        """Call ``fire`` once it is ``due``; in place of what was set for the key before."""
        with self._ready:
            number = next(self._numbers)
            self._live[key] = (number, fire)
            heapq.heappush(self._heap, (due, number, key))
            if self._heap[0][1] == number:
                self._ready.notify()

    def cancel(self, key: Hashable) -> None:
        with self._ready:
            self._live.pop(key, None)
            if len(self._heap) > 2 * len(self._live) + 64:
                self._heap = [each for each in self._heap if self._counts(each)]
                heapq.heapify(self._heap)

    def stop(self) -> None:
        with self._ready:
            self._stopping = True
            self._ready.notify()
        self._thread.join()

    def _counts(self, entry: tuple[float, int, Hashable]) -> bool:
        live = self._live.get(entry[2])
        return live is not None and live[0] == entry[1]

    def _run(self) -> None:
        while (due := self._next()) is not None:
            for fire in due:
                try:
                    fire()
                except Exception:
                    LOG.exception("a timer broke")

    def _next(self) -> list[Fire] | None:
        """What is due, after waiting for it; None at the end."""
        with self._ready:
            while not self._stopping:
                now = self._clock()
                due = []
                while self._heap and self._heap[0][0] <= now:
                    entry = heapq.heappop(self._heap)
                    if self._counts(entry):
                        due.append(self._live.pop(entry[2])[1])
                if due:
                    return due
                # With nothing set it sleeps; who sets something wakes it.
                pause = min(LOOK, self._heap[0][0] - now) if self._heap else None
                self._ready.wait(pause)
        return None
