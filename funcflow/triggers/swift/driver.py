"""The ``swift`` source: objects that come and go in a container.

Stock Swift tells nobody. So the container is listed again and again, and what was seen is kept in
the cursor: only after an object's event is durable is the object among what was seen. Swift's
optional notifications are no base, but they tell when it is time to look (:mod:`.hints`).
"""

from __future__ import annotations

import importlib.util
import itertools
import logging
import re
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from oslo_config import cfg

from funcflow import errors
from funcflow.events import Event, Trigger
from funcflow.triggers import base, cloud, fields
from funcflow.triggers.patience import Patience
from funcflow.triggers.swift import hints, listing
from funcflow.triggers.zaqar.driver import check_offered

LOG = logging.getLogger(__name__)

CHANGES: Final = ("created", "deleted")
_CONTAINER = re.compile(r"[^/]{1,200}")
_PREFIX = re.compile(r".{0,500}")
#: Objects of a container at most: what was seen has to be kept.
MOST: Final = 20_000
#: Events after which what was seen is kept, at the latest.
_SAVE: Final = 50
#: Seconds before Swift is asked again that did not answer; doubles.
_PAUSES: Final = (0.5, 30.0)
#: Seconds within which a source that rests notices that it is to stop.
_NOTICE: Final = 0.5


class SwiftSource(base.Stream):
    """``{"container": "uploads"}``; ``prefix`` and ``suffix`` of names; ``changes``: created,
    deleted; ``interval``: seconds between looks; ``existing``: whether what is there already
    counts."""

    acts: ClassVar[bool] = True

    def __init__(self, trigger: Trigger, tools: base.Tools) -> None:
        from funcflow.swift import account, service  # Not everybody has swiftclient.

        self._tools = tools
        self._told = trigger.source.configuration
        self._project_id = trigger.project_id
        self._rights = cloud.rights(tools)
        login = service.Login(self._where, self._token, lambda: bool(self._token(True)))
        self._account = account.Account(login, account.Patience.of(tools.conf))

    @classmethod
    def check(cls, configuration: Mapping[str, Any], conf: cfg.ConfigOpts) -> dict[str, Any]:
        check_offered(conf)
        if importlib.util.find_spec("swiftclient") is None:
            raise base.BadSource(
                "this installation has no client of Swift",
                hint="Ask your operator for it: pip install 'funcflow[swift]'.",
            )
        names = ("container", "prefix", "suffix", "changes", "interval", "existing")
        fields.known(configuration, names)
        told = {"prefix": "", "suffix": "", **configuration}
        made: dict[str, Any] = {
            "container": fields.text(told, "container", _CONTAINER),
            "prefix": fields.text(told, "prefix", _PREFIX),
            "suffix": fields.text(told, "suffix", _PREFIX),
            "changes": fields.patterns(told, "changes", ["created"]),
            "interval": fields.number(told, "interval", 5.0, 0.5, 3600.0),
            "existing": told.get("existing", False),
        }
        if strange := set(made["changes"]) - set(CHANGES):
            raise base.BadSource(f"changes cannot have {min(strange)!r}: {', '.join(CHANGES)}")
        if not isinstance(made["existing"], bool):
            raise base.BadSource("existing is true or false")
        return made

    def serve(self, deliver: base.Deliver, stop: threading.Event) -> None:
        from funcflow.swift import faults

        patience = Patience(deliver, self._tools.skip, stop)
        place, wake = (self._project_id, self._told["container"]), threading.Event()
        pause, longest = _PAUSES
        with hints.watching(self._tools.conf, place, wake):
            while not stop.is_set():
                wake.clear()
                try:
                    self._token()  # That it is still lent is asked each time.
                    self._look(patience)
                except base.Lost:
                    raise
                except (errors.Unavailable, faults.Refused) as exc:
                    LOG.warning("Container %s waits: %s", self._told["container"], exc.message)
                    stop.wait(pause)
                    pause = min(longest, pause * 2)
                else:
                    pause = _PAUSES[0]
                    _rest(self._told["interval"], stop, wake)

    def close(self) -> None:
        self._account.close()
        self._rights.close()

    def _look(self, patience: Patience) -> None:
        """Tell what changed since what the cursor says."""
        kept = self._tools.cursor.load()
        listed = list(self._listed())
        if kept is None and not self._told["existing"]:
            self._tools.cursor.save({"seen": {each.name: each.version for each in listed}})
            return
        seen: dict[str, str] = {} if kept is None else dict(kept["seen"])
        unsaved = 0
        try:
            for change, name, found in listing.changes(seen, listed):
                event = self._event(change, name, found, seen)
                if event is not None and not patience.deliver(event):
                    return
                if found is None:
                    del seen[name]
                else:
                    seen[name] = found.version
                unsaved += 1
                if unsaved % _SAVE == 0:
                    self._tools.cursor.save({"seen": seen})
        finally:
            if unsaved % _SAVE or kept is None:
                self._tools.cursor.save({"seen": seen})

    def _event(
        self,
        change: listing.Change,
        name: str,
        found: listing.Object | None,
        seen: Mapping[str, str],
    ) -> Event | None:
        """None: it is not asked for."""
        if change not in self._told["changes"]:
            return None
        version = seen[name] if found is None else found.version
        return listing.event(
            change, self._told["container"], name, found, version, self._project_id
        )

    def _listed(self) -> Iterator[listing.Object]:
        """The objects that count, by name.

        :raises cloud.Refused: they are too many to be watched
        """
        from funcflow.swift import faults

        rows = self._account.list(self._told["container"], self._told["prefix"])
        counted = (row for row in rows if row["name"].endswith(self._told["suffix"]))
        try:
            yield from map(listing.Object.of, itertools.islice(counted, MOST))
            if next(counted, None) is not None:
                raise cloud.Refused(f"more than {MOST} objects: watch fewer, by their prefix")
        except faults.Missing:
            return

    def _token(self, fresh: bool = False) -> str:
        return self._rights.token(self._project_id, fresh)

    def _where(self) -> str:
        """The URL of the project's account."""
        override: str | None = self._tools.conf.openstack.swift_url
        if override is not None:
            return f"{override.rstrip('/')}/AUTH_{self._project_id}"
        return self._rights.url(self._project_id, "object-store")


def _rest(seconds: float, stop: threading.Event, wake: threading.Event) -> None:
    """For so long, or until either is set."""
    end = time.monotonic() + seconds
    while not stop.is_set() and (left := end - time.monotonic()) > 0:
        if wake.wait(min(left, _NOTICE)):
            return
