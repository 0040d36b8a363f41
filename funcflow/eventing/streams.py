"""A thread for each source that keeps something open. Used by :mod:`.reactor`."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from typing import Final

from oslo_log import log as logging

from funcflow import errors
from funcflow.db import triggers
from funcflow.eventing import sources
from funcflow.events import Trigger
from funcflow.triggers import base
from funcflow.triggers.drivers import Drivers
from funcflow.trusts.base import TrustInvalid

LOG = logging.getLogger(__name__)

#: Seconds before a source is served again that failed; doubles up to the second.
_PAUSES: Final = (1.0, 60.0)
#: Seconds a source gets to end.
_PATIENCE: Final = 10.0


@dataclasses.dataclass(slots=True)
class _Served:
    trigger: Trigger
    stop: threading.Event
    thread: threading.Thread


class Streams:
    """Serves what is ours, and nothing else."""

    def __init__(self, parts: sources.Parts, drivers: Drivers) -> None:
        self._parts = parts
        self._drivers = drivers
        self._served: dict[str, _Served] = {}

    def look(self) -> None:
        """Serve new triggers; end those that changed, were disabled, or are not ours any more."""
        types = self._drivers.of_kind("stream")
        if not types:
            return
        slots = frozenset(self._parts.partitions.slots())
        with self._parts.database.read() as connection:
            found = triggers.enabled(connection, types)
        wanted = {trigger.id: trigger for trigger in found if trigger.slot in slots}
        self._end([s for s in self._served.values() if wanted.get(s.trigger.id) != s.trigger])
        most: int = self._parts.conf.events.max_streams
        for trigger in wanted.values():
            running = self._served.get(trigger.id)
            if running is not None and running.thread.is_alive():
                continue
            if len(self._served) >= most and running is None:
                LOG.error("More than %d sources: trigger %s is not served", most, trigger.id)
                continue
            self._served[trigger.id] = self._begin(trigger)

    def stop(self) -> None:
        self._end(list(self._served.values()))

    def __len__(self) -> int:
        return len(self._served)

    def _begin(self, trigger: Trigger) -> _Served:
        stop = threading.Event()
        thread = threading.Thread(
            target=self._serve, args=(trigger, stop), name=f"serve-{trigger.id}", daemon=True
        )
        thread.start()
        return _Served(trigger, stop, thread)

    def _end(self, served: Sequence[_Served]) -> None:
        for each in served:
            each.stop.set()
        for each in served:
            each.thread.join(_PATIENCE)
            if each.thread.is_alive():
                LOG.error("The source of trigger %s does not end", each.trigger.id)
            del self._served[each.trigger.id]

    def _serve(self, trigger: Trigger, stop: threading.Event) -> None:
        pause, longest = _PAUSES
        while not stop.is_set():
            try:
                self._serve_once(trigger, stop)
                return
            except base.Lost:
                return  # The next look serves it again, if it is ours.
            except TrustInvalid as exc:
                if self._ended(trigger, exc):
                    return
            except errors.FuncflowError as exc:
                LOG.warning("The source of trigger %s waits: %s", trigger.id, exc.message)
            except Exception:
                LOG.exception("The source of trigger %s failed", trigger.id)
            stop.wait(pause)
            pause = min(longest, pause * 2)

    def _ended(self, trigger: Trigger, why: TrustInvalid) -> bool:
        """Whether the trigger rests now, whose owner lends it nothing any more."""
        try:
            self._parts.firer.identities.end(trigger, why)
        except errors.FuncflowError as exc:
            LOG.warning("Trigger %s is not disabled yet: %s", trigger.id, exc.message)
            return False
        return True

    def _serve_once(self, trigger: Trigger, stop: threading.Event) -> None:
        made = sources.open_source(self._parts, self._drivers.get(trigger.source.type), trigger)
        assert isinstance(made, base.Stream)
        try:
            made.serve(sources.deliver_to(self._parts, trigger), stop)
        finally:
            made.close()
