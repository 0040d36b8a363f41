"""The events process: serves the sources of the triggers in its partitions.

Made by ``funcflow-events``, and by ``funcflow up`` inside its one process. One thread looks at what
is due, what changed and what failed; sources have threads of their own (:mod:`.pollers`,
:mod:`.streams`).
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Mapping

from oslo_config import cfg
from oslo_log import log as logging

from funcflow import errors, firing
from funcflow.db import firings, trigger_events, triggers
from funcflow.db.engine import Database
from funcflow.eventing.partitions import Partitions
from funcflow.eventing.pollers import Pollers
from funcflow.eventing.sources import Parts
from funcflow.eventing.streams import Streams
from funcflow.jobboards import base as board_base
from funcflow.triggers.drivers import Drivers

LOG = logging.getLogger(__name__)

#: Seconds between looks at the triggers of streams when nobody says that they changed, and at
#: what is to be forgotten.
_STREAMS, _PURGE = 2.0, 60.0
#: Firings tried again, and forgotten, in one go.
_BATCH = 100


class Reactor:
    """One of them per process. ``board``: not started, and of partitions alone."""

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        database: Database,
        firer: firing.Firer,
        board: board_base.Board,
        drivers: Drivers,
    ) -> None:
        self._conf = conf
        self._database = database
        self._firer = firer
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self.partitions = Partitions(board, self._wake.set)
        parts = Parts(conf, database, firer, self.partitions)
        self._pollers = Pollers(parts, drivers)
        self._streams = Streams(parts, drivers)
        self._changed = True
        self._thread = threading.Thread(target=self._run, name="reactor", daemon=True)

    def start(self) -> None:
        self.partitions.start()
        self._thread.start()

    def stop(self) -> None:
        """End all sources, then give the partitions back."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._streams.stop()
        self._pollers.stop()
        self.partitions.stop()

    def forget(self) -> None:
        """Triggers changed somewhere."""
        self._changed = True
        self._wake.set()

    def metrics(self) -> Mapping[str, float]:
        """By the names of :mod:`funcflow.eventing.metrics`."""
        counts = {f"firings_{name}_total": n for name, n in self._firer.counts.items()}
        return {
            **counts,
            "partitions": len(self.partitions.held()),
            "streams": len(self._streams),
        }

    def _run(self) -> None:
        next_streams = next_purge = 0.0
        while not self._stopping.is_set():
            self._wake.wait(self._conf.events.interval)
            self._wake.clear()
            if self._stopping.is_set():
                return
            self._try(self.partitions.renew)
            self._try(self._pollers.look)
            self._try(self._retry)
            now = time.monotonic()
            if self._changed or now >= next_streams:
                self._changed, next_streams = False, now + _STREAMS
                self._try(self._streams.look)
            if now >= next_purge:
                next_purge = now + _PURGE
                self._try(self._purge)

    def _try(self, step: Callable[[], object]) -> None:
        """One step; what goes wrong is logged and tried again at its next turn."""
        try:
            step()
        except errors.FuncflowError as exc:
            LOG.warning("Serving triggers goes on later: %s", exc.message)
        except Exception:
            LOG.exception("Serving triggers failed in %s", getattr(step, "__name__", step))

    def _retry(self) -> None:
        """Try again what could not be started."""
        now = time.time()
        with self._database.read() as connection:
            due = firings.retrying(connection, now, _BATCH)
        for each in due:
            with self._database.read() as connection:
                try:
                    trigger = triggers.get(connection, each.trigger_id)
                except errors.NotFound:
                    trigger = None
            event = firing.event_of(each)
            if trigger is None or event is None:
                gone = functools.partial(firings.delete, firing_id=each.id)
                self._database.transact(gone)
            elif self.partitions.claim_of(trigger) is not None:
                self._firer.again(trigger, each, event)

    def _purge(self) -> None:
        """Forget what is old, and what one trigger has too much of."""
        if 0 not in self.partitions.held():
            return  # Whoever has the first partition does it for all.
        before = time.time() - self._conf.events.retention
        most = self._conf.events.max_firings
        while self._database.transact(lambda c: firings.purge(c, before, _BATCH)) == _BATCH:
            pass
        with self._database.read() as connection:
            crowded = firings.crowded(connection, most)
        for trigger_id in crowded:
            self._trim(trigger_id, most)
        self._database.transact(lambda c: trigger_events.purge(c, before))

    def _trim(self, trigger_id: str, most: int) -> None:
        with self._database.read() as connection:
            try:
                window = triggers.get(connection, trigger_id).dedup_window
            except errors.NotFound:
                window = 0.0
        before = time.time() - window
        self._database.transact(lambda c: firings.trim(c, trigger_id, most, before))
