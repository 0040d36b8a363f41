"""Puts right what crashes and full boards leave behind.

One thread in every conductor; each conductor sweeps the shards it owns. The row is the
truth: a queued row without a job gets one (also the normal way from a backlog in the
database to the board's window), a row that waited too long is buried, old rows go.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable

from funcflow import errors, models
from funcflow.conductor import pools, runner
from funcflow.conductor.compositions import feeder
from funcflow.db import executions, garbage, tallies
from funcflow.db.engine import Database
from funcflow.jobboards import base as board_base
from funcflow.stores import base as store_base

LOG = logging.getLogger(__name__)

#: Seconds between looks at the backlog in the database: while there is one, and otherwise.
FEED = 0.1
LOOK = 0.25
#: Seconds between looks through the whole package store.
TIDY = 300.0
#: Seconds one sweep may go on removing old rows.
PURGING = 1.0
#: Rows posted, purged or checked in one go.
BATCH = 500


@dataclasses.dataclass(frozen=True, slots=True)
class Times:
    """How patient the sweeper is, in seconds, and how full a shard may be."""

    interval: float
    #: A row older than this without a job has lost it.
    grace: float
    #: Settled rows are kept for this long; 0: for ever.
    retention: float
    window: int


class Sweeper:
    """The housekeeping thread of one conductor."""

    def __init__(
        self,
        board: board_base.Board,
        database: Database,
        runner: runner.Runner,
        pools: pools.Pools,
        store: store_base.Store,
        times: Times,
        compositions: feeder.Feeder,
    ) -> None:
        self._board = board
        self._database = database
        self._runner = runner
        self._pools = pools
        self._store = store
        self._times = times
        self._compositions = compositions
        self._orphans = garbage.Orphans(database)
        self._next_tidy = time.monotonic() + TIDY
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        next_sweep = 0.0
        pause = LOOK
        while not self._stopping.wait(pause):
            fed = [self._try(feed) for feed in (self.feed, self._compositions.feed)]
            pause = FEED if any(fed) else LOOK
            if time.monotonic() >= next_sweep:
                next_sweep = time.monotonic() + self._times.interval
                for step in (
                    self.stop_cancelled,
                    self.repost,
                    self._compositions.repost,
                    self._compositions.stop_strays,
                    self.expire,
                    self._compositions.purge,
                    self.purge,
                    self._pools.tick,
                ):
                    self._try(step)

    def _try(self, step: Callable[[], object]) -> object:
        """One step; what goes wrong is logged and tried again at its next turn."""
        try:
            return step()
        except errors.FuncflowError as exc:
            LOG.warning("sweeping goes on later: %s", exc)
        except Exception:
            LOG.exception("sweeping failed in %s", getattr(step, "__name__", step))
        return None

    def feed(self) -> int:
        """Post queued rows that have no job yet and are due; how many."""
        if not self._board.connected:
            return 0
        room = {
            shard: self._times.window - self._board.depth(shard)
            for shard in self._board.own_shards()
        }
        shards = [shard for shard, free in room.items() if free > 0]
        if not shards:
            return 0
        with self._database.read() as conn:
            rows = executions.unposted(conn, time.time(), BATCH, shards)
        chosen = []
        for row in rows:
            if room[row.shard] > 0:
                room[row.shard] -= 1
                chosen.append(row)
        self._post(chosen)
        return len(chosen)

    def repost(self, grace: float | None = None) -> int:
        """Give open rows their job back that has vanished from the board; how many."""
        shards = self._board.own_shards()
        before = time.time() - (self._times.grace if grace is None else grace)
        with self._database.read() as conn:
            rows = executions.open_rows(conn, before, shards)
        if not rows:
            return 0
        posted = {shard: self._board.posted(shard) for shard in {row.shard for row in rows}}
        lost = [row for row in rows if row.id not in posted[row.shard]]
        if lost:
            LOG.warning("%d open executions had no job on the board", len(lost))
            self._post(lost)
        return len(lost)

    def expire(self) -> int:
        """Bury queued rows that waited longer than they may; how many."""
        now = time.time()
        with self._database.read() as conn:
            rows = executions.expired(conn, now, BATCH)
        for row in rows:
            bury = executions.Bury(id=row.id, epoch=None, owner=None, reason="expired", now=now)
            self._database.write(bury)
        if rows:
            LOG.warning("%d executions expired", len(rows))
            self._board.discard([ticket_of(row) for row in rows])
        return len(rows)

    def stop_cancelled(self) -> None:
        """Stop runs here whose rows say they are cancelled."""
        running = [execution.id for execution in self._runner.running()]
        if running:
            with self._database.read() as conn:
                cancelled = executions.cancelled_among(conn, running)
            for execution_id in cancelled:
                self._runner.cancel(execution_id)

    def purge(self) -> None:
        """Remove old rows, and what no row, function or version needs any more."""
        if 0 not in self._board.own_shards():
            return  # The owner of the first shard does it for all.
        if self._times.retention:
            self._purge_settled(time.time() - self._times.retention)
        self._database.transact(lambda conn: garbage.collect(conn, self._store.delete))
        if time.monotonic() >= self._next_tidy:
            self._next_tidy = time.monotonic() + TIDY
            self._orphans.sweep(self._store.digests(), self._store.delete)
            self._database.transact(lambda conn: tallies.fold(conn, self._database.writer))

    def _purge_settled(self, before: float) -> None:
        """Batch after batch, so that rows go as fast as they come, but only for a while: the
        other steps wait."""
        enough = time.monotonic() + PURGING
        purge = executions.PurgeSettled(before=before, limit=BATCH)
        while self._database.write(purge) == BATCH and time.monotonic() < enough:
            if self._stopping.is_set():
                return

    def _post(self, rows: list[models.Execution]) -> None:
        if not rows:
            return
        # Marked first: marked without a job is found by `repost`, posted without a mark
        # would be posted for ever.
        self._database.write(executions.MarkPosted(tuple(row.id for row in rows), True))
        self._board.post([ticket_of(row) for row in rows])


def ticket_of(execution: models.Execution) -> board_base.Ticket:
    return board_base.Ticket(execution.id, execution.project_id, execution.function_id)
