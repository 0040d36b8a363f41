"""One thread that waits for descriptors, times and signals; used by all of the agent.

Smaller than asyncio by more than half of the memory, which every warm pod would pay.
"""

from __future__ import annotations

import heapq
import itertools
import os
import selectors
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

#: Called with the events (``READ``, ``WRITE``) that came.
Ready = Callable[[int], None]

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Timer:
    """A call in the future; ``cancel`` forgets it."""

    __slots__ = ("call", "when")

    def __init__(self, when: float, call: Callable[[], None]) -> None:
        self.when = when
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


class Loop:
    """Calls back from ``run``; apart from ``post``, for that one thread."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self._posted: list[Callable[[], object]] = []
        self._lock = threading.Lock()
        self._signals: dict[int, Callable[[], None]] = {}
        self._wake, self._wakeup = socket.socketpair()
        self._wake.setblocking(False)
        self._wakeup.setblocking(False)
        self.watch(self._wake, READ, self._woken)
        self.running = True

    def watch(self, what: Any, events: int, ready: Ready) -> None:
        """Call ``ready`` whenever one of the events is there; replaces what was asked before."""
        try:
            self._selector.modify(what, events, ready)
        except KeyError:
            self._selector.register(what, events, ready)

    def forget(self, what: Any) -> None:
        """Watch it no more; idempotent, and before it is closed."""
        try:
            self._selector.unregister(what)
        except (KeyError, ValueError):
            pass

    def after(self, seconds: float, call: Callable[[], None]) -> Timer:
        timer = Timer(time.monotonic() + seconds, call)
        heapq.heappush(self._timers, (timer.when, next(self._numbers), timer))
        return timer

    def post(self, call: Callable[[], object]) -> None:
        """Have it called soon; from any thread."""
        with self._lock:
            self._posted.append(call)
        try:
            self._wakeup.send(b"\0")
        except BlockingIOError:
            pass  # it will wake up anyway

    def on_signal(self, number: int, call: Callable[[], None]) -> None:
        """Call it in the loop, not in between."""
        signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)
        signal.signal(number, lambda *_: None)
        self._signals[number] = call

    def run(self) -> None:
        """Until ``running`` is False."""
        while self.running:
            for key, events in self._selector.select(self._patience()):
                # One call may have forgotten what a later one of this round is about.
                if key.fileobj in self._selector.get_map():
                    key.data(events)
            self._due()

    def close(self) -> None:
        signal.set_wakeup_fd(-1)
        self._selector.close()
        self._wake.close()
        self._wakeup.close()

    def _patience(self) -> float | None:
        while self._timers and self._timers[0][2].call is None:
            heapq.heappop(self._timers)
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None

    def _due(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            timer = heapq.heappop(self._timers)[2]
            if timer.call is not None:
                timer.call()

    def _woken(self, events: int) -> None:
        numbers = self._wake.recv(4096)
        with self._lock:
            posted, self._posted = self._posted, []
        for call in posted:
            call()
        for number in dict.fromkeys(numbers):
            if number in self._signals:
                self._signals[number]()


def drain(fd: int, most: int) -> bytes:
    """What can be read now from a non-blocking descriptor, at most about ``most`` bytes."""
    pieces: list[bytes] = []
    while most > 0:
        try:
            piece = os.read(fd, min(most, 65536))
        except BlockingIOError:
            break
        if not piece:
            break
        pieces.append(piece)
        most -= len(piece)
    return b"".join(pieces)
