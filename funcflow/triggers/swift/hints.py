"""Swift's notifications, as hints that a container is worth a look. Used by :mod:`.driver`.

Where Swift has ceilometermiddleware it tells of every request at once; but it says "success" of
refused ones too, and what it says gets lost while the broker is away. So a notification is never
an event: it wakes whoever watches the container, and what the listing then does not show did not
happen. One connection serves all who watch in this process.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import urllib.parse
from collections.abc import Iterator
from typing import Any, Final

from oslo_config import cfg

from funcflow import ids
from funcflow.events import BadEvent
from funcflow.triggers.notification import broker, envelope

LOG = logging.getLogger(__name__)

EVENT_TYPE: Final = "objectstore.http.request"
#: Requests that change something.
_CHANGES: Final = frozenset({"put", "post", "delete", "copy"})
_KEYS: Final = ("notifications.info",)
#: Seconds for which is waited for the next, and until the broker is asked again; doubles.
_LOOK: Final = 0.5
_PAUSES: Final = (0.5, 30.0)

#: Project and container.
Place = tuple[str, str]


def place_of(body: bytes) -> Place | None:
    """Where a notification says that something may have changed.

    :raises funcflow.events.BadEvent: it is none
    """
    said = envelope.parse(body)
    payload = said.payload
    target = payload.get("target") if isinstance(payload, dict) else None
    if said.event_type != EVENT_TYPE or not isinstance(target, dict):
        return None
    metadata = target.get("metadata")
    container = metadata.get("container") if isinstance(metadata, dict) else None
    if not isinstance(container, str) or target.get("action") not in _CHANGES:
        return None
    project = envelope.account(payload)
    return None if project is None else (project, urllib.parse.unquote(container))


@contextlib.contextmanager
def watching(conf: cfg.ConfigOpts, place: Place, wake: threading.Event) -> Iterator[None]:
    """Sets ``wake`` whenever the place is worth a look; does nothing where Swift tells nothing."""
    if conf.notifications.transport_url is None or conf.notifications.swift_exchange is None:
        yield
        return
    listener = _enter(conf)
    listener.add(place, wake)
    try:
        yield
    finally:
        listener.remove(place, wake)
        _leave(listener)


class _Listener:
    """Reads what Swift tells, in a thread, while anybody watches."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self.users = 0
        self.told_by = _told_by(conf)
        self._conf = conf
        self._lock = threading.Lock()
        self._watched: dict[Place, list[threading.Event]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="swift-hints", daemon=True)
        self._thread.start()

    def add(self, place: Place, wake: threading.Event) -> None:
        with self._lock:
            self._watched.setdefault(place, []).append(wake)

    def remove(self, place: Place, wake: threading.Event) -> None:
        with self._lock:
            self._watched[place].remove(wake)
            if not self._watched[place]:
                del self._watched[place]

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        pause, longest = _PAUSES
        while not self._stop.is_set():
            try:
                self._listen()
                return
            except broker.Away as exc:
                LOG.warning("%s; containers are looked at by the clock", exc.message)
            self._stop.wait(pause)
            pause = min(longest, pause * 2)

    def _listen(self) -> None:
        """Until told to stop.

        :raises broker.Away: the broker is, or went, away
        """
        name = f"funcflow.swift.{ids.new()}"
        queue = broker.Queue(self._conf, [self.told_by[1]], _KEYS, name, passing=True)
        try:
            queue.open(lambda message: self._tell(queue, message))
            self._wake_all()  # Who knows what was told meanwhile.
            while not self._stop.is_set():
                queue.read(_LOOK)
        finally:
            queue.close()

    def _tell(self, queue: broker.Queue, message: Any) -> None:
        queue.acknowledge(message)
        with contextlib.suppress(BadEvent):
            place = place_of(broker.body_of(message))
            with self._lock:
                for wake in self._watched.get(place, ()) if place else ():
                    wake.set()

    def _wake_all(self) -> None:
        with self._lock:
            for each in self._watched.values():
                for wake in each:
                    wake.set()


def _told_by(conf: cfg.ConfigOpts) -> tuple[str, str]:
    return conf.notifications.transport_url, conf.notifications.swift_exchange


_lock = threading.Lock()
_listeners: list[_Listener] = []


def _enter(conf: cfg.ConfigOpts) -> _Listener:
    """The process's own listener to that broker."""
    with _lock:
        found = next((each for each in _listeners if each.told_by == _told_by(conf)), None)
        if found is None:
            found = _Listener(conf)
            _listeners.append(found)
        found.users += 1
        return found


def _leave(listener: _Listener) -> None:
    with _lock:
        listener.users -= 1
        if listener.users:
            return
        _listeners.remove(listener)
    listener.stop()
