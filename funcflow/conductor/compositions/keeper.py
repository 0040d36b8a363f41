"""Holds executions of compositions in this conductor: takes them, ends them, gives them back.

Called by the dispatcher (claims), by the hand-over (starts) and by whoever delivered to an inbox
(nudges). The row says who holds an execution: every append is fenced by its epoch and owner, so
what is held here without right learns it at its next step.
"""

from __future__ import annotations

import collections
import dataclasses
import logging
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Final

from funcflow import errors, models, states
from funcflow.conductor import dispatcher
from funcflow.conductor.compositions import base, departures, inbox, journal, progress, timers
from funcflow.conductor.compositions.holder import Holder
from funcflow.conductor.compositions.parts import Parts
from funcflow.db import composition_executions as db
from funcflow.jobboards import base as board_base
from funcflow.states import CompositionState

LOG = logging.getLogger(__name__)

#: Seconds to leave a broken database or board alone.
PAUSE: Final = 0.5
#: Seconds between looks whether all that is held is still ours.
CHECK: Final = 5.0
#: Seconds between looks at what could make room for others.
CROWDED: Final = 0.5


class Keeper:
    """All executions that one conductor holds. Meets :class:`.holder.Owner`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.crew = parts.crew
        self.database = parts.database
        self.park_after = parts.park_after
        self.now = parts.clock
        self.timers = timers.Timers(parts.clock)
        self.inbox = inbox.Inbox(parts.database, parts.texts, self.performer)
        self.draining = False
        #: For the dispatcher: room in memory, and who takes what was claimed.
        self.lane = dispatcher.Lane(parts.slots, self.take)
        self._performers: dict[str, base.Performer] = {}
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._held: dict[str, Holder] = {}
        self.departures = departures.Departures(parts)
        self._poller = inbox.Poller(self._told, self._look)
        self._next_check = 0.0
        self._next_wake = 0.0
        self._totals: collections.Counter[str] = collections.Counter()

    # -- life -----------------------------------------------------------------------------

    def start(self, performers: Mapping[str, base.Performer]) -> None:
        self._performers.update(performers)
        self._poller.start()

    def drain(self) -> None:
        """Hold nothing more, and leave what is held to others as soon as nothing works for it
        here."""
        self.draining = True
        for holder in self.held():
            holder.wake()

    def stop(self) -> None:
        """Give back what is left, whatever works for it."""
        self.draining = True
        for holder in self.held():
            LOG.warning("execution %s: given back at shutdown", holder.row.id)
            self.give_back(holder)
        self._stopping.set()
        self._poller.stop()
        self.timers.stop()
        for performer in {id(each): each for each in self._performers.values()}.values():
            performer.stop()
        self.crew.stop()
        self.departures.stop()

    def void(self) -> None:
        """The board's session is gone, and every claim with it. Rows are ours until somebody
        claims them, which fences us."""
        self.departures.void()

    def held(self) -> list[Holder]:
        with self._lock:
            return list(self._held.values())

    def metrics(self) -> Mapping[str, float]:
        """By name without prefix."""
        return {
            "compositions_held": len(self._held),
            "compositions_capacity": self._parts.slots.capacity,
            "compositions_buried_total": self.departures.buried,
            **{f"compositions_{name}_total": self._totals[name] for name in COUNTED},
        }

    # -- beginnings -----------------------------------------------------------------------

    def take(self, claim: board_base.Claim) -> None:
        """Hold what was claimed, with a slot taken for it."""
        self.crew.soon(lambda: self._take(claim))

    def hold(
        self,
        claim: board_base.Claim,
        row: models.CompositionExecution,
        loaded: progress.Progress,
        *,
        again: bool,
    ) -> Holder:
        """Keep an execution whose row says that this claim holds it; its turn comes next."""
        log = journal.Journal(row, self.database, self._parts.texts, self._stopping)
        author = self._parts.definitions.author(row)
        holder = Holder(self, claim, row, loaded, log, author=author, again=again)
        if loaded.execution.sequence == 0:
            holder.begins_with(self._parts.definitions.started(row))
        with self._lock:
            older = self._held.get(row.id)
            self._held[row.id] = holder
        if older is not None:
            # It was claimed anew, by us: the older claim is void.
            self._drop(older)
        return holder

    def _take(self, claim: board_base.Claim) -> None:
        ticket = claim.ticket
        try:
            row = None
            now = self.now()
            if self._parts.board.holds(claim):
                start = db.Start(ticket.execution_id, claim.epoch, claim.owner, now)
                row = self.database.write(start)
        except errors.Unavailable as exc:
            LOG.warning("execution %s: not taken now: %s", ticket.execution_id, exc)
            self.timers.set(
                claim,
                self.now() + PAUSE,
                lambda: self.crew.soon(lambda: self.departures.let_go(claim)),
            )
            return
        if row is None:
            # Unknown, ended, dead, or a newer claim holds it: there is nothing to do here.
            self.departures.done(claim)
            return
        # Who started it first has begun nothing of it.
        self._load(claim, row, again=row.started_at != now)

    def _load(
        self, claim: board_base.Claim, row: models.CompositionExecution, *, again: bool
    ) -> None:
        """Fold its log, and go on with it."""
        if row.attempts > self._parts.policy.max_attempts:
            self.departures.bury(claim, row, row.reason or "attempts")
            return
        try:
            loaded = progress.load(self._parts.definitions, self.database, row)
            holder = self.hold(claim, row, loaded, again=again)
        except errors.Unavailable as exc:
            LOG.warning("execution %s: not loaded now: %s", row.id, exc)
            self.departures.requeue(claim, row, exc.code, count=False)
        except Exception as exc:
            self.departures.failed(claim, row, row.attempts, exc)
        else:
            if row.attempts > 1:
                self._totals["taken_over"] += 1
            holder.begin()

    # -- ends, told by holders ------------------------------------------------------------

    def performer(self, name: str) -> base.Performer:
        return self._performers[name]

    @property
    def crowded(self) -> bool:
        return self.lane.starved or self.draining

    def settled(self, holder: Holder, outcome: db.Settle) -> None:
        self._totals["settled"] += 1
        now, row = holder.written_at, holder.row
        ended = dataclasses.replace(
            row,
            state=outcome.state,
            attempts=holder.attempts,
            output=outcome.output,
            error=outcome.error,
            cause=outcome.cause,
            reason=None,
            redrives=holder.progress.execution.redrives,
            finished_at=now,
            updated_at=now,
        )
        self._end(holder, ended)
        if row.parent_id is not None:
            self.nudge(row.parent_id)

    def parked(self, holder: Holder) -> None:
        self._totals["parked"] += 1
        self._end(holder, dataclasses.replace(holder.row, state=CompositionState.WAITING))

    def refused(self, holder: Holder) -> None:
        self._totals["fenced"] += 1
        row = self._find(holder.row.id)
        ours = (
            row is not None
            and row.state is CompositionState.RUNNING
            and (row.epoch, row.owner) == (holder.row.epoch, holder.row.owner)
        )
        if row is None or not ours:
            LOG.warning("execution %s: held by somebody else now", holder.row.id)
            self._drop(holder)
            return
        # Ours, but not as we think: an append took whose answer was lost.
        LOG.warning("execution %s: read again", row.id)
        if self._close(holder):
            self._load(holder.claim, row, again=True)

    def broke(self, holder: Holder, exc: Exception) -> None:
        if self._close(holder):
            self.departures.failed(holder.claim, holder.row, holder.attempts, exc)
            holder.tell(None)

    def give_back(self, holder: Holder) -> None:
        if self._close(holder):
            self.departures.requeue(holder.claim, holder.row, "drained", count=False)
            holder.tell(None)

    def _drop(self, holder: Holder) -> None:
        """Somebody else holds it."""
        if self._close(holder):
            self.departures.done(holder.claim)
            holder.tell(None)

    def _end(self, holder: Holder, row: models.CompositionExecution) -> None:
        if self._close(holder):
            self.departures.done(holder.claim, ended=row.state in states.COMPOSITION_SETTLED)
            holder.tell(row)

    def _close(self, holder: Holder) -> bool:
        """Let go all that works for it here. False: that was done before."""
        if not holder.close():
            return False
        with self._lock:
            if self._held.get(holder.row.id) is holder:
                del self._held[holder.row.id]
        for performer in {id(each): each for each in self._performers.values()}.values():
            performer.leave(holder)
        return True

    # -- room, inboxes --------------------------------------------------------------------

    def nudge(self, execution_id: str) -> bool:
        """Something is in its inbox. False: it is not held here."""
        holder = self._held.get(execution_id)
        if holder is not None:
            holder.look()
        return holder is not None

    def _told(self) -> Iterable[str]:
        """Ids of what is held here and was told something."""
        now = time.monotonic()
        if now >= self._next_check:
            self._next_check = now + CHECK
            self._check()
        if self.crowded and now >= self._next_wake:
            self._next_wake = now + CROWDED
            for holder in self.held():
                holder.wake()
        if not self._held:
            return ()
        with self.database.read() as conn:
            return db.told(conn, self._parts.name)

    def _look(self, ids: Iterable[str]) -> None:
        for execution_id in ids:
            self.nudge(execution_id)

    def _check(self) -> None:
        """Drop what others hold by now."""
        idle = [holder for holder in self.held() if holder.idle]
        if not idle:
            return
        with self.database.read() as conn:
            ours = {row.id for row in db.running_owned_by(conn, [self._parts.name])}
        for holder in idle:
            if holder.row.id not in ours and holder.idle:
                self.refused(holder)

    def _find(self, execution_id: str) -> models.CompositionExecution | None:
        """The row, insisting on an answer."""
        while True:
            try:
                with self.database.read() as conn:
                    return db.find(conn, execution_id)
            except errors.Unavailable:
                if self._stopping.wait(PAUSE):
                    return None


#: What is counted since the conductor started.
COUNTED: Final = ("settled", "parked", "taken_over", "fenced")
