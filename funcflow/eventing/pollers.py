"""Threads that look at polled sources when their time has come. Used by :mod:`.reactor`."""

from __future__ import annotations

import concurrent.futures
import threading

from oslo_log import log as logging

from funcflow import errors
from funcflow.db import trigger_cursors, trigger_events
from funcflow.eventing import sources
from funcflow.events import Trigger
from funcflow.triggers import base
from funcflow.triggers.drivers import Drivers

LOG = logging.getLogger(__name__)

#: Triggers that one look takes up.
_BATCH = 200
#: Seconds before a source is looked at again that failed.
_PAUSE = 5.0


class Pollers:
    """Looks at what is due, each trigger by one thread at a time."""

    def __init__(self, parts: sources.Parts, drivers: Drivers) -> None:
        self._parts = parts
        self._drivers = drivers
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        #: Until when triggers are let alone that are busy or failed, by their ids.
        self._later: dict[str, float] = {}
        self._pool = concurrent.futures.ThreadPoolExecutor(
            parts.conf.events.threads, thread_name_prefix="poll"
        )

    def look(self) -> int:
        """Start polling what is due and not being polled; how many."""
        slots = self._parts.partitions.slots()
        if not slots:
            return 0
        now = self._parts.clock()
        types = self._drivers.of_kind("polled")
        with self._lock:
            self._later = {name: at for name, at in self._later.items() if at > now}
            # Not even asked for, so that they never crowd out the others.
            but = {*self._busy, *self._later}
        with self._parts.database.read() as connection:
            found = trigger_cursors.due(connection, types, slots, now, _BATCH, but)
            found += trigger_events.waiting(connection, slots, _BATCH, but)
        started = 0
        with self._lock:
            for trigger in found:
                if trigger.id not in self._busy and trigger.id not in self._later:
                    self._busy.add(trigger.id)
                    self._pool.submit(self._poll, trigger)
                    started += 1
        return started

    def stop(self) -> None:
        """Wait for those that are being polled."""
        self._pool.shutdown(cancel_futures=True)

    def _poll(self, trigger: Trigger) -> None:
        pause = 0.0
        try:
            self._look_at(trigger)
        except base.Lost:
            pass  # Whoever has it now looks at it.
        except errors.FuncflowError as exc:
            pause = exc.retry_after or _PAUSE
            LOG.warning("The source of trigger %s waits: %s", trigger.id, exc.message)
        except Exception:
            pause = _PAUSE
            LOG.exception("The source of trigger %s failed", trigger.id)
        finally:
            with self._lock:
                self._busy.discard(trigger.id)
                if pause:
                    self._later[trigger.id] = self._parts.clock() + pause

    def _look_at(self, trigger: Trigger) -> None:
        made = sources.open_source(self._parts, self._drivers.get(trigger.source.type), trigger)
        assert isinstance(made, base.Polled)
        try:
            next_at = made.poll(sources.deliver_to(self._parts, trigger))
        finally:
            made.close()
        cursor = sources.FencedCursor(self._parts, trigger)
        cursor.change(trigger_cursors.schedule, next_at)
