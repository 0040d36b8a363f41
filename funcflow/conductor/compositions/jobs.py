"""Work of a held execution that goes the long way: executions of functions, with jobs.

Used by :mod:`funcflow.conductor.compositions.functions`.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future

from oslo_config import cfg

from funcflow import errors, models
from funcflow.db import executions
from funcflow.db.engine import Database
from funcflow.jobboards import base as board_base

LOG = logging.getLogger(__name__)


class Jobs:
    """Posts executions of functions and reads their ends. For any thread."""

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        database: Database,
        board: board_base.Board,
        cancel: Callable[[str], object],
        clock: Callable[[], float],
    ) -> None:
        """:param cancel: stops a run of this conductor, by its execution's id"""
        self._conf = conf
        self._database = database
        self._board = board
        self._cancel = cancel
        self._clock = clock
        self.total = 0

    @property
    def alone(self) -> bool:
        """Is there no other conductor that could take work?"""
        return len(self._board.members()) < 2

    def shard_of(self, function_id: str) -> int:
        return self._board.shard_of(function_id)

    def expires_at(self, now: float) -> float:
        return now + float(self._conf.conductor.max_age)

    def known(self, ids: Iterable[str]) -> set[str]:
        """Which of the executions there are."""
        return set(self.read(list(ids)))

    def read(self, ids: Sequence[str]) -> dict[str, models.Execution]:
        """The executions there are, by id."""
        if not ids:
            return {}
        with self._database.read() as conn:
            return {found.id: found for found in executions.among(conn, ids)}

    def post(self, queued: Sequence[models.Execution]) -> None:
        """Make them durable and post their jobs, as far as the board has room.

        Those that are there already are left alone.

        :raises funcflow.errors.Unavailable: some may be durable, others not
        """
        room: Counter[int] = Counter()
        if self._board.connected:
            for shard in {execution.shard for execution in queued}:
                room[shard] = self._conf.jobboard.window // 2 - self._board.depth(shard)
        writing: list[tuple[models.Execution, bool, Future[executions.Inserted]]] = []
        for execution in queued:
            posts = room[execution.shard] > 0
            room[execution.shard] -= 1
            inserting = self._database.submit(executions.Insert(execution, posts))
            writing.append((execution, posts, inserting))
        for _, _, inserting in writing:
            inserting.result()
        tickets = [ticket_of(execution) for execution, posts, _ in writing if posts]
        try:
            if tickets:
                self._board.post(tickets)
        except errors.Unavailable:
            # Their rows are there: the feed posts what is not marked as posted.
            unposted = executions.MarkPosted(tuple(each.execution_id for each in tickets), False)
            self._database.submit(unposted)
        self.total += len(writing)

    def cancel(self, execution_id: str) -> None:
        """Soon, and best effort: nobody waits for it any more."""

        def cancelled(done: Future[models.Execution | None]) -> None:
            if done.exception() is not None:
                LOG.warning("execution %s goes on: %s", execution_id, done.exception())
            elif done.result() is not None:
                self._cancel(execution_id)

        try:
            writing = self._database.submit(executions.Cancel(execution_id, self._clock()))
        except errors.Unavailable as exc:
            LOG.warning("execution %s goes on: %s", execution_id, exc)
        else:
            writing.add_done_callback(cancelled)


def ticket_of(execution: models.Execution) -> board_base.Ticket:
    return board_base.Ticket(execution.id, execution.project_id, execution.function_id)
