"""Workers that are kept warm because somebody said so: at least so many, at certain hours.

One of these in each conductor; a function is looked after by the conductor that its calls go to
first. What a schedule means at a moment is pure (:func:`wanted`).
"""

from __future__ import annotations

import concurrent.futures
import datetime
import logging
import threading
import time
import zoneinfo

from funcflow import errors, models
from funcflow.conductor import catalog, pools
from funcflow.db import scaling
from funcflow.db.engine import Database
from funcflow.jobboards import base as board_base
from funcflow.jobboards import tickets
from funcflow.sandboxes.base import Key
from taskflow_flows import invocation as inv

LOG = logging.getLogger(__name__)

#: Seconds between looks at the schedules.
INTERVAL = 2.0
#: Starts at a time; the pools bound them again.
_HANDS = 4
#: Seconds before a function is tried again whose worker did not start, doubling up to the last.
_LEAST, _MOST = 5.0, 300.0


def wanted(rules: models.Scaling, now: datetime.datetime) -> dict[int, int]:
    """Workers to keep warm at a moment, by version number; ``now`` is aware of its time zone."""
    found = {models.LATEST: rules.min_workers}
    for each in rules.provisioned:
        if _holds(each, now):
            found[each.version] = max(found.get(each.version, 0), each.workers)
    return {version: count for version, count in found.items() if count}


def _holds(each: models.Provision, now: datetime.datetime) -> bool:
    """By the clock on the wall there, so nothing is missed or double when it is put forward or
    back."""
    local = now.astimezone(zoneinfo.ZoneInfo(each.timezone))
    minute, today = local.hour * 60 + local.minute, local.weekday()
    start = 0 if each.start is None else each.start
    end = 24 * 60 if each.end is None else each.end
    if start < end:
        return today in each.days and start <= minute < end
    yesterday = (today - 1) % 7
    return (today in each.days and minute >= start) or (yesterday in each.days and minute < end)


class Scaler:
    """One thread, and a few that start workers."""

    def __init__(
        self,
        board: board_base.Board,
        database: Database,
        catalog: catalog.Catalog,
        pools: pools.Pools,
        name: str,
    ) -> None:
        self._board = board
        self._database = database
        self._catalog = catalog
        self._pools = pools
        self._name = name
        self._hands = concurrent.futures.ThreadPoolExecutor(_HANDS, "scale")
        self._lock = threading.Lock()
        self._starting: dict[Key, int] = {}
        #: When a revision may be tried again, and how long it waits after that.
        self._not_before: dict[Key, tuple[float, float]] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scaler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._hands.shutdown(wait=True, cancel_futures=True)

    def _run(self) -> None:
        while not self._stopping.wait(INTERVAL):
            try:
                self.tick()
            except errors.FuncflowError as exc:
                LOG.warning("scaling goes on later: %s", exc)
            except Exception:
                LOG.exception("scaling failed")

    def tick(self) -> None:
        """Tell the pools what to keep, and start what is missing."""
        with self._database.read() as connection:
            rows = scaling.all_(connection)
        now = datetime.datetime.now(datetime.UTC)
        keep: dict[Key, tuple[inv.Definition, int]] = {}
        for row in rows:
            if not self._is_ours(row.function_id):
                continue
            for version, count in wanted(row.scaling, now).items():
                if version in row.revisions:
                    number = row.revisions[version]
                    definition = self._catalog.definition(row.function_id, number)
                    keep[pools.key_of(definition.revision)] = definition, count
        self._pools.keep({key: count for key, (_, count) in keep.items()})
        for key, (definition, count) in keep.items():
            self._start_missing(key, definition, count)

    def _is_ours(self, function_id: str) -> bool:
        """Whether its calls come here first."""
        members = [member.name for member in self._board.members()] or [self._name]
        return max(members, key=lambda name: tickets.rank(function_id, name)) == self._name

    def _start_missing(self, key: Key, definition: inv.Definition, count: int) -> None:
        with self._lock:
            there = self._pools.count(key) + self._starting.get(key, 0)
            if time.monotonic() < self._not_before.get(key, (0.0, 0.0))[0]:
                return
            missing = max(0, count - there)
            self._starting[key] = self._starting.get(key, 0) + missing
        for _ in range(missing):
            self._hands.submit(self._start, key, definition)

    def _start(self, key: Key, definition: inv.Definition) -> None:
        try:
            self._pools.scale(definition, 1)
        except errors.FuncflowError as exc:
            with self._lock:
                pause = min(_MOST, max(_LEAST, self._not_before.get(key, (0.0, 0.0))[1] * 2))
                self._not_before[key] = time.monotonic() + pause, pause
            LOG.warning("a worker of %s is not kept warm: %s", definition.function_name, exc)
        else:
            with self._lock:
                self._not_before.pop(key, None)
        finally:
            with self._lock:
                self._starting[key] -= 1
