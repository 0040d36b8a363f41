"""Places for requests that wait: synchronous calls and log followers.

A server has few threads; whoever waits holds one. One :class:`Slots` per application, of fewer
places than the server has threads, keeps the others for requests that do not wait.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from funcflow import errors


class Slots:
    """``limit`` places; ``stopping`` is set when the process goes down."""

    def __init__(self, limit: int) -> None:
        self._free = threading.BoundedSemaphore(limit)
        self.stopping = threading.Event()

    def take(self) -> None:
        """Take a place, to be given back with ``release``.

        :raises errors.TooMany: none is free
        """
        if not self._free.acquire(blocking=False):
            raise errors.TooMany(
                "too many requests are waiting for results here",
                code="too_many_waiting",
                hint="Run it asynchronously (sync false), or try again a little later.",
                retry_after=1.0,
            )

    def release(self) -> None:
        self._free.release()

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place for the time of a block."""
        self.take()
        try:
            yield
        finally:
            self.release()
