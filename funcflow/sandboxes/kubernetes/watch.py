"""Keeps up with one kind of things in the cluster: list, then watch, for ever.

Used by :mod:`.index` and :mod:`.lease`. A watch that is dropped goes on where it was; one that
was away for too long (410) lists anew. Nothing here is on the path of a call.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from typing import Any

from funcflow.sandboxes.kubernetes.api import Api, ApiError

LOG = logging.getLogger(__name__)

Manifest = dict[str, Any]

#: Seconds after which the server ends a watch by itself, and after which we think it dead.
_SPAN, _IDLE = 40, 50.0
_PAGE = "500"
#: Seconds between tries while the API server is away.
_LEAST, _MOST = 0.2, 5.0


class Watch:
    """One thread. ``on_list`` gets everything there is, ``on_event`` what happens then."""

    def __init__(
        self,
        api: Api,
        path: str,
        selector: str,
        on_list: Callable[[list[Manifest]], None],
        on_event: Callable[[str, Manifest], None],
    ) -> None:
        self._api = api
        self._path = path
        self._selector = selector
        self._on_list = on_list
        self._on_event = on_event
        self._version: str | None = None
        self._stopping = threading.Event()
        self._synced = threading.Event()
        #: Times everything was listed anew, and watches that broke.
        self.lists = 0
        self.drops = 0
        #: Why nothing is heard at the moment.
        self.trouble: str | None = None
        name = f"watch-{path.rsplit('/', 1)[-1]}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def synced(self, timeout: float) -> bool:
        """Wait until everything was listed once."""
        return self._synced.wait(timeout)

    def stop(self) -> None:
        """It ends with the API's watches."""
        self._stopping.set()

    def join(self) -> None:
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        pause = _LEAST
        while not self._stopping.is_set():
            try:
                if self._version is None:
                    self._list()
                self._watch()
                pause = _LEAST
            except ApiError as exc:
                if self._stopping.is_set():
                    return
                if exc.status == 410:
                    self._version = None
                    continue
                if self.trouble is None:
                    LOG.warning("watching %s: %s", self._path, exc)
                self.drops += 1
                self.trouble = exc.message
                self._stopping.wait(pause * random.uniform(0.75, 1.25))
                pause = min(_MOST, pause * 2)
            except Exception:
                LOG.exception("watching %s failed; it is listed anew", self._path)
                self._version = None
                self._stopping.wait(_MOST)

    def _list(self) -> None:
        query = {"labelSelector": self._selector, "limit": _PAGE}
        items: list[Manifest] = []
        while True:
            page = self._api.get(self._path, **query)
            items += page["items"]
            more = page["metadata"].get("continue")
            if not more:
                break
            query["continue"] = more
        self._on_list(items)
        self._version = page["metadata"]["resourceVersion"]
        self.lists += 1
        self.trouble = None
        self._synced.set()

    def _watch(self) -> None:
        """:raises ApiError: it broke, or (410) has to start anew"""
        events = self._api.watch(
            self._path,
            _IDLE,
            labelSelector=self._selector,
            resourceVersion=self._version or "",
            allowWatchBookmarks="true",
            timeoutSeconds=str(_SPAN),
        )
        for event in events:
            self.trouble = None
            if self._stopping.is_set():
                return
            thing = event["object"]
            if event["type"] == "ERROR":
                told = str(thing.get("message"))
                raise ApiError(thing.get("code", 0), str(thing.get("reason")), told)
            self._version = thing["metadata"]["resourceVersion"]
            if event["type"] != "BOOKMARK":
                self._on_event(event["type"], thing)
