"""How executions come to this conductor other than by its dispatcher.

Starts that somebody waits for come over the hand-over; what executions start themselves is
launched; and what is told to stop is attended to, whatever waits before it.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import logging
import time
from collections.abc import Sequence
from concurrent.futures import Future

from funcflow import errors, handover, models
from funcflow.conductor.compositions.keeper import Keeper
from funcflow.conductor.compositions.parts import Parts
from funcflow.conductor.compositions.progress import Progress
from funcflow.db import composition_executions as db
from funcflow.jobboards import base as board_base
from funcflow.states import CompositionState

LOG = logging.getLogger(__name__)

Waiter = Future[models.CompositionExecution | None]


class Entry:
    """Of one conductor. For any thread."""

    def __init__(self, parts: Parts, keeper: Keeper) -> None:
        self._parts = parts
        self._keeper = keeper

    def accept(self, execution: models.CompositionExecution) -> Waiter:
        """Take a start that somebody waits for. The future gives the execution once it has
        ended or is parked; None: its row tells.

        :raises funcflow.handover.Full: no room here
        """
        self._take_slot(execution)
        waiter: Waiter = Future()
        self._parts.crew.soon(lambda: self._begin(execution, waiter))
        return waiter

    def start(
        self, execution: models.CompositionExecution, wait: float
    ) -> models.CompositionExecution | None:
        """The same, waiting here: the caller's thread does what surely ends within the wait."""
        self._take_slot(execution)
        waiter: Waiter = Future()
        until = time.monotonic() + wait
        self._parts.crew.lend(lambda: self._begin(execution, waiter), execution.id, until)
        try:
            return waiter.result(max(0.0, until - time.monotonic()))
        except TimeoutError:
            return None

    def attend(self, execution_id: str) -> None:
        """Nobody holds it, and it was told something. If that ends it, or if there is room, it
        is taken at once, out of turn."""
        self._parts.crew.soon(lambda: self._attend(execution_id))

    def launch(
        self, executions: Sequence[models.CompositionExecution]
    ) -> Sequence[models.CompositionExecution]:
        """See :class:`funcflow.conductor.compositions.base.Launcher`."""
        board = self._parts.board
        room: collections.Counter[int] = collections.Counter()
        if board.connected:
            for shard in {execution.shard for execution in executions}:
                room[shard] = self._parts.window // 2 - board.depth(shard)
        posted: list[models.CompositionExecution] = []
        unposted: list[models.CompositionExecution] = []
        for execution in executions:
            room[execution.shard] -= 1
            (posted if room[execution.shard] >= 0 else unposted).append(execution)
        found: dict[str, models.CompositionExecution] = {}
        for chosen, marked in ((posted, True), (unposted, False)):
            if chosen:
                inserted = self._parts.database.write(db.Insert(tuple(chosen), marked))
                found |= {
                    execution.id: each.execution
                    for execution, each in zip(chosen, inserted, strict=True)
                }
        self._post([found[execution.id] for execution in posted])
        return [found[execution.id] for execution in executions]

    def _post(self, executions: Sequence[models.CompositionExecution]) -> None:
        queued = [each for each in executions if each.state is CompositionState.QUEUED]
        if not queued:
            return
        try:
            self._parts.board.post([ticket_of(execution) for execution in queued])
        except errors.Unavailable:
            # Their rows are there: the feed posts what is not marked as posted.
            ids = [execution.id for execution in queued]
            self._parts.database.write(db.Unpost(ids, self._parts.clock()))

    # -- parts ----------------------------------------------------------------------------

    def _take_slot(self, execution: models.CompositionExecution) -> None:
        if self._keeper.draining:
            raise handover.Leaving("this conductor is stopping", retry_after=1.0)
        if not self._parts.slots.take(execution.project_id):
            raise handover.Full("this conductor is full", retry_after=1.0)

    def _begin(self, execution: models.CompositionExecution, waiter: Waiter) -> None:
        """Post and claim in one step, write the row as running, and go on with it."""
        try:
            (claim,) = self._parts.board.post_claimed([ticket_of(execution)])
        except BaseException as exc:
            self._parts.slots.give(execution.project_id)
            waiter.set_exception(exc)
            return
        try:
            inserted = self._insert(execution, claim)
        except BaseException as exc:
            self._keeper.departures.done(claim)
            waiter.set_exception(exc)
            return
        row = inserted.execution
        if not inserted.created:
            self._keeper.departures.done(claim)
            waiter.set_result(row)
            return
        try:
            fresh = Progress(self._parts.definitions.fresh(row))
            holder = self._keeper.hold(claim, row, fresh, again=False)
        except Exception as exc:
            self._keeper.departures.failed(claim, row, row.attempts, exc)
            waiter.set_result(None)
            return
        holder.waiters.append(waiter)
        holder.begin()

    def _insert(
        self, execution: models.CompositionExecution, claim: board_base.Claim
    ) -> db.Inserted:
        running = dataclasses.replace(
            execution,
            state=CompositionState.RUNNING,
            attempts=1,
            epoch=claim.epoch,
            owner=claim.owner,
            started_at=self._parts.clock(),
        )
        (inserted,) = self._parts.database.write(db.Insert((running,), True))
        return inserted

    def _attend(self, execution_id: str) -> None:
        try:
            with self._parts.database.read() as conn:
                row = db.find(conn, execution_id)
                entries = db.inbox(conn, execution_id)
            if row is None or row.state is not CompositionState.QUEUED:
                return
            project_id = row.project_id
            if any(_stops(entry) for entry in entries):
                self._parts.slots.force(project_id)
            elif self._keeper.draining or not self._parts.slots.take(project_id):
                return
            claim = None
            try:
                claim = self._claim(ticket_of(row))
            finally:
                if claim is None:
                    self._parts.slots.give(project_id)
            if claim is not None:
                self._keeper.take(claim)
        except errors.FuncflowError as exc:
            LOG.warning("execution %s: attended to in its turn: %s", execution_id, exc)

    def _claim(self, ticket: board_base.Ticket) -> board_base.Claim | None:
        """Its job, whether it is on the board already or not; None: somebody has it."""
        try:
            claims = self._parts.board.claim([ticket])
            if claims:
                return claims[0]
            return self._parts.board.post_claimed([ticket])[0]
        except errors.Conflict:
            return None


def ticket_of(execution: models.CompositionExecution) -> board_base.Ticket:
    return board_base.Ticket(
        execution.id, execution.project_id, execution.composition_id, "composition"
    )


def _stops(entry: db.Entry) -> bool:
    return '"Stopped"' in entry.text and json.loads(entry.text).get("type") == "Stopped"
