"""A trigger fed by hand: for tests, and the smallest example of the seam."""

from __future__ import annotations

import queue
import threading

from funcflow.triggers import base

#: Seconds between looks at ``stop``, and before a refused event is delivered again.
LOOK = 0.05


class MemoryTrigger:
    """Delivers what ``fire`` was given, in order, each until it is durable."""

    def __init__(self) -> None:
        self._events: queue.Queue[base.Event] = queue.Queue()

    def fire(self, event: base.Event) -> None:
        self._events.put(event)

    def serve(self, submit: base.Submit, stop: threading.Event) -> None:
        """See :class:`funcflow.triggers.base.Trigger`."""
        while not stop.is_set():
            try:
                event = self._events.get(timeout=LOOK)
            except queue.Empty:
                continue
            while not _deliver(event, submit) and not stop.wait(LOOK):
                pass


def _deliver(event: base.Event, submit: base.Submit) -> bool:
    try:
        submit(event)
    except Exception:
        return False  # Not durable yet, whatever the reason.
    return True
