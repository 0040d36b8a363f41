"""How executions leave this conductor: ended, parked, given back, buried.

Called by the keeper with an execution that nobody has a turn of any more. The row is changed
first, then the job leaves the board, then the slot is free.
"""

from __future__ import annotations

import logging
import threading

from funcflow import errors, models
from funcflow.conductor import consumer
from funcflow.conductor.compositions.parts import Parts
from funcflow.db import composition_executions as db
from funcflow.jobboards import base as board_base

LOG = logging.getLogger(__name__)


class Departures:
    """Of one conductor. For any thread."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lock = threading.Lock()
        #: Not known to have ended: somebody may have posted a job for them while the old one was
        #: still there, which changes nothing.
        self._open: set[str] = set()
        self._consumer = consumer.Consumer(parts.board, self._consumed)
        self.buried = 0

    def stop(self) -> None:
        self._consumer.stop()

    def void(self) -> None:
        """The board's session is gone, and every claim with it."""
        self._consumer.void()

    def done(self, claim: board_base.Claim, *, ended: bool = False) -> None:
        """There is nothing left to do under this claim; not ``ended``: there may be more, even
        by now."""
        if not ended:
            with self._lock:
                self._open.add(claim.ticket.execution_id)
        self._consumer.consume(claim)
        self._give(claim)

    def failed(
        self,
        claim: board_base.Claim,
        row: models.CompositionExecution,
        attempts: int,
        exc: Exception,
    ) -> None:
        """The platform failed it. ``attempts``: in a row, without a step forward."""
        LOG.error("execution %s: attempt %d broke", row.id, attempts, exc_info=exc)
        if attempts >= self._parts.policy.max_attempts:
            self.bury(claim, row, "poison")
        else:
            self.requeue(claim, row, "poison", count=True, attempts=attempts)

    def requeue(
        self,
        claim: board_base.Claim,
        row: models.CompositionExecution,
        reason: str,
        *,
        count: bool,
        attempts: int = 1,
    ) -> None:
        """Let others, or a later time, go on with it."""
        now = self._parts.clock()
        requeue = db.Requeue(
            id=row.id,
            epoch=row.epoch,
            owner=row.owner or "",
            # By then our own job has left the board.
            not_before=now + self._parts.policy.delay(attempts),
            reason=reason,
            count_attempt=count,
            now=now,
        )
        self._leave(claim, requeue, ended=False)

    def bury(self, claim: board_base.Claim, row: models.CompositionExecution, reason: str) -> None:
        """Make it a dead letter."""
        LOG.warning("execution %s: dead letter (%s)", row.id, reason)
        self.buried += 1
        now = self._parts.clock()
        bury = db.Bury(id=row.id, epoch=row.epoch, owner=row.owner, reason=reason, now=now)
        self._leave(claim, bury, ended=True)

    def let_go(self, claim: board_base.Claim) -> None:
        """Not even that we give up could be written: a later claim will see that."""
        try:
            self._parts.board.release([claim])
        except errors.FuncflowError as exc:
            LOG.warning("claim of %s stays until the session ends: %s", claim.ticket, exc)
        self._give(claim)

    def _leave(self, claim: board_base.Claim, op: db.Requeue | db.Bury, *, ended: bool) -> None:
        try:
            self._parts.database.write(op)
        except errors.Unavailable as exc:
            LOG.warning("execution %s: left to its next claimer: %s", op.id, exc)
            self.let_go(claim)
        else:
            self.done(claim, ended=ended)

    def _give(self, claim: board_base.Claim) -> None:
        self._parts.slots.give(claim.ticket.project_id)
        self._parts.freed()

    def _consumed(self, claims: list[board_base.Claim]) -> None:
        """Jobs have left the board: post those again that somebody wants done by now."""
        with self._lock:
            ids = self._open.intersection(claim.ticket.execution_id for claim in claims)
        if not ids:
            return
        with self._parts.database.read() as conn:
            queued = {row.id for row in db.queued_among(conn, ids)}
        woken = [claim.ticket for claim in claims if claim.ticket.execution_id in queued]
        if woken:
            self._parts.board.post(woken)
        with self._lock:
            self._open -= ids
