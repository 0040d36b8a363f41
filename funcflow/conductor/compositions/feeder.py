"""What the sweeper does for executions of compositions, in the shards its conductor owns.

Those whose time has come, and those that are queued without a job, get one; those that lost
their job get another; old rows go.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import Any, Final

from funcflow import errors, models
from funcflow.compositions import signals
from funcflow.conductor.compositions.entry import ticket_of
from funcflow.db import composition_executions as db
from funcflow.db import executions, garbage
from funcflow.db.engine import Database
from funcflow.jobboards import base as board_base

LOG = logging.getLogger(__name__)

#: Rows posted or purged in one go.
BATCH: Final = 500
#: What is told executions that lost their parent.
STRAY: Final = "The execution that started it has ended"
#: Seconds one sweep may go on removing old rows.
PURGING: Final = 1.0


class Feeder:
    """Called by :class:`funcflow.conductor.sweeper.Sweeper`, in its thread."""

    def __init__(
        self,
        board: board_base.Board,
        database: Database,
        clock: Callable[[], float],
        *,
        window: int,
        grace: float,
        retention: float,
    ) -> None:
        """
        :param window: jobs a shard holds at most
        :param grace: seconds a row may lack its job before that counts as lost
        :param retention: seconds an ended execution is kept; 0: for ever
        """
        self._board = board
        self._database = database
        self._clock = clock
        self._window = window
        self._grace = grace
        self._retention = retention

    def feed(self) -> int:
        """Post those whose time has come; how many."""
        if not self._board.connected:
            return 0
        room = {
            shard: self._window - self._board.depth(shard) for shard in self._board.own_shards()
        }
        shards = [shard for shard, free in room.items() if free > 0]
        if not shards:
            return 0
        with self._database.read() as conn:
            # The clock is looked at each time: when it jumps, it is right at the next look.
            rows = db.due(conn, self._clock(), BATCH, shards)
        chosen = []
        for row in rows:
            if room[row.shard] > 0:
                room[row.shard] -= 1
                chosen.append(row)
        self._post(chosen)
        return len(chosen)

    def repost(self, grace: float | None = None) -> int:
        """Give open rows their job back that has vanished from the board; how many."""
        before = self._clock() - (self._grace if grace is None else grace)
        with self._database.read() as conn:
            rows = db.open_rows(conn, before, self._board.own_shards())
        if not rows:
            return 0
        posted = {shard: self._board.posted(shard) for shard in {row.shard for row in rows}}
        lost = [row for row in rows if row.id not in posted[row.shard]]
        if lost:
            LOG.warning("%d open executions of compositions had no job on the board", len(lost))
            self._board.post([ticket_of(row) for row in lost])
        return len(lost)

    def stop_strays(self) -> None:
        """End what nobody waits for any more: its parent ended, or is gone, and the conductor
        that held the parent died before it said so."""
        if 0 not in self._board.own_shards():
            return  # The owner of the first shard does it for all.
        with self._database.read() as conn:
            functions, children = db.strays(conn, BATCH)
        if functions or children:
            LOG.warning("%d executions had lost their parents", len(functions) + len(children))
        now = self._clock()
        stop = json.dumps(signals.dump(signals.Stopped(time=now, cause=STRAY)))
        # Runs are stopped where they run, by what the sweeper there sees of their rows.
        stopping: list[Future[Any]] = [
            self._database.submit(executions.Cancel(each, now)) for each in functions
        ]
        stopping += [self._database.submit(db.Deliver(each, (stop,), now)) for each in children]
        wait(stopping)

    def purge(self) -> None:
        """Remove executions that ended long ago, for a while, and definitions without any."""
        if 0 not in self._board.own_shards():
            return  # The owner of the first shard does it for all.
        if self._retention:
            enough = time.monotonic() + PURGING
            purge = db.PurgeSettled(before=self._clock() - self._retention, limit=BATCH)
            while self._database.write(purge) and time.monotonic() < enough:
                continue
        self._database.transact(garbage.collect_compositions)

    def _post(self, rows: Sequence[models.CompositionExecution]) -> None:
        if not rows:
            return
        # Marked first: marked without a job is found by `repost`, posted without a mark would be
        # posted for ever.
        woken = self._database.write(db.Wake([row.id for row in rows], self._clock()))
        try:
            self._board.post([ticket_of(row) for row in rows if row.id in woken])
        except errors.Unavailable:
            self._database.write(db.Unpost(woken, self._clock()))
            raise
