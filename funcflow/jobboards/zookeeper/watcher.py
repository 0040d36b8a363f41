"""Keeps folders listed. Called by :mod:`.board`.

One thread lists whatever has changed. A burst of changes costs one listing, then one more;
listings of one folder keep a distance that grows with what they cost, so a busy board
spends a bounded share of its time on them.
"""

from __future__ import annotations

import dataclasses
import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Any

from kazoo import exceptions as kazoo_errors
from kazoo.protocol.states import EventType, WatchedEvent

from funcflow.jobboards.zookeeper import link as zookeeper_link

LOG = logging.getLogger(__name__)

#: Seconds between listings of a busy folder, and how much longer than the last one took.
GAP, FACTOR = 0.005, 4
#: Seconds after which a listing that failed is tried again.
RETRY = 0.5
#: Longest wait before listing anew after a lost connection, so that not everybody does at once.
SPREAD = 0.2


@dataclasses.dataclass(slots=True, eq=False)
class Watch:
    """A folder, what to do with its children, and when to look next (None: unchanged)."""

    path: str
    sent: Callable[[], None]
    listed: Callable[[list[str]], None]
    due: float | None = 0.0
    not_before: float = 0.0


class Watcher:
    """``start`` before anything is added; ``stop`` when done."""

    def __init__(self, link: zookeeper_link.Link) -> None:
        self._link = link
        self._changed = threading.Condition()
        self._watches: dict[str, Watch] = {}
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="board-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def add(
        self,
        path: str,
        listed: Callable[[list[str]], None],
        sent: Callable[[], None] = lambda: None,
    ) -> None:
        """Call ``listed`` with the names in the folder, now and after each change; ``sent``
        just before they are asked for."""
        with self._changed:
            self._watches[path] = Watch(path, sent, listed)
            self._changed.notify()

    def remove(self, path: str) -> None:
        with self._changed:
            self._watches.pop(path, None)

    def look(self, path: str) -> None:
        """List the folder once more, as if it had changed."""
        with self._changed:
            watch = self._watches.get(path)
            if watch is not None:
                watch.due = time.monotonic()
                self._changed.notify()

    def again(self) -> None:
        """List everything: there is a new session, without watches."""
        with self._changed:
            for watch in self._watches.values():
                watch.due = 0.0
            self._changed.notify()

    def _fired(self, watch: Watch, event: WatchedEvent) -> None:
        """From kazoo's callback thread. Without a type: the connection is lost."""
        now = time.monotonic()
        lost = event.type == EventType.NONE
        with self._changed:
            watch.due = now + random.uniform(0, SPREAD) if lost else now
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                due = self._due()
                while not due and not self._stopping:
                    self._changed.wait(self._pause())
                    due = self._due()
                if self._stopping:
                    return
            try:
                self._list(due)
            except zookeeper_link.AWAY:
                self._later(due)
            except Exception:
                LOG.exception("listing failed")
                self._later(due)

    def _due(self) -> list[Watch]:
        now = time.monotonic()
        return [
            watch
            for watch in self._watches.values()
            if watch.due is not None and max(watch.due, watch.not_before) <= now
        ]

    def _pause(self) -> float | None:
        times = [max(w.due, w.not_before) for w in self._watches.values() if w.due is not None]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _later(self, watches: list[Watch]) -> None:
        with self._changed:
            for watch in watches:
                watch.due = time.monotonic() + RETRY

    def _list(self, due: list[Watch]) -> None:
        if not self._link.connected:
            self._later(due)
            return
        started = time.monotonic()
        replies = []
        for watch in due:
            watch.due = None  # what changes from here on fires anew
            watch.sent()
            replies.append(self._ask(watch))
        for watch, reply in zip(due, replies, strict=True):
            try:
                names = reply.get(timeout=zookeeper_link.PATIENCE)
            except (*zookeeper_link.AWAY, kazoo_errors.NoNodeError):
                self._later([watch])
                continue
            if self._watches.get(watch.path) is watch:
                watch.listed(names)
        now = time.monotonic()
        for watch in due:
            watch.not_before = now + max(GAP, FACTOR * (now - started))

    def _ask(self, watch: Watch) -> Any:
        return self._link.client.get_children_async(
            watch.path, watch=lambda event: self._fired(watch, event)
        )
