"""One held execution: an actor that takes signals in turns.

Anybody may put signals into its mailbox; one thread at a time has its turn. A turn advances the
execution by what is in the mailbox and the inbox, appends that to the log, and only then has
the commands done. :mod:`~funcflow.conductor.compositions.keeper` makes and ends it.
"""

from __future__ import annotations

import collections
import dataclasses
import logging
import math
import threading
import time
from concurrent.futures import Future
from typing import Final

from funcflow import errors, models
from funcflow.compositions import execution as language
from funcflow.compositions import signals
from funcflow.compositions.commands import Request, StartTimer
from funcflow.compositions.definition import Definition
from funcflow.compositions.signals import Signal
from funcflow.conductor.compositions import base, journal, parking
from funcflow.conductor.compositions.alarms import Alarms, BeatDue
from funcflow.conductor.compositions.inbox import Read
from funcflow.conductor.compositions.owner import Owner
from funcflow.conductor.compositions.progress import Progress
from funcflow.db import composition_executions as db
from funcflow.jobboards import base as board_base

LOG = logging.getLogger(__name__)

#: Seconds of computing after which others get their turn.
SLICE: Final = 0.05
#: Seconds without a step after which an execution makes room for others, if it can.
STILL: Final = 1.0

_STAY: Final = db.Stay()


@dataclasses.dataclass(frozen=True, slots=True)
class Ran:
    """In a mailbox: a function ran here, with this result."""

    answer: Signal
    record: journal.Record


@dataclasses.dataclass(frozen=True, slots=True)
class Retry:
    """In a mailbox: have this command done once more."""

    command: Request


Mail = Signal | BeatDue | Ran | Retry


class Holder:
    """Meets :class:`base.Held`."""

    def __init__(
        self,
        owner: Owner,
        claim: board_base.Claim,
        row: models.CompositionExecution,
        progress: Progress,
        log: journal.Journal,
        *,
        author: str,
        again: bool,
    ) -> None:
        """
        :param author: see :class:`base.Held`
        :param again: its commands may have been begun before, in an earlier life
        """
        self.author: Final = author
        self.claim = claim
        self.progress = progress
        self.waiters: list[Future[models.CompositionExecution | None]] = []
        self._owner = owner
        self._row = row
        self._journal = log
        self._again = again
        self._lock = threading.Lock()
        self._first: Signal | None = None
        self._mailbox: collections.deque[Mail] = collections.deque()
        #: There may be something in the inbox.
        self._told = row.deliveries > row.consumed
        #: Read from the inbox, and not taken yet.
        self._entries: collections.deque[Read] = collections.deque()
        self._alarms = Alarms(row.id, owner.timers, owner.database, owner.now, self._ring)
        self._until = 0.0
        #: When it last took a step.
        self._moved = time.monotonic()
        #: A turn is to come; the one that has it; it stepped back behind others.
        self._due = False
        self._running = False
        self._behind = False
        self._closed = False

    # -- for any thread -------------------------------------------------------------------

    @property
    def row(self) -> models.CompositionExecution:
        return self._row

    @property
    def definition(self) -> Definition:
        return self.progress.execution.definition

    def now(self) -> float:
        return self._owner.now()

    def answer(self, *answers: Signal) -> None:
        self._put(*answers)

    def ran(self, answer: Signal, record: journal.Record) -> None:
        """A function ran in this process."""
        self._put(Ran(answer, record))

    def retry(self, command: Request) -> None:
        """Its performer could not do it, and is to be asked again."""
        self._put(Retry(command))

    def look(self) -> None:
        """Something may be in the inbox."""
        self._told = True
        self._put()

    def wake(self) -> None:
        """Have a turn: whether to stay may be seen otherwise by now."""
        self._put()

    def begins_with(self, signal: Signal) -> None:
        """Before the first turn: the first of all signals."""
        self._first = signal

    def tell(self, row: models.CompositionExecution | None) -> None:
        """Answer those who wait for it here, once it is closed; None: its row tells."""
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(row)

    @property
    def written_at(self) -> float:
        """The time of the last append."""
        return self._journal.written_at

    @property
    def attempts(self) -> int:
        """Attempts in a row that led to no step forward, this one included."""
        return 0 if self._journal.grew else self._row.attempts

    @property
    def idle(self) -> bool:
        return not (self._due or self._running)

    def close(self) -> bool:
        """Take no more turns, and let go all that was begun here. False: it was closed."""
        with self._lock:
            if self._closed:
                return False
            self._closed = True
            self._mailbox.clear()
        for command in list(self.progress.begun.values()):
            self._alarms.cancel(command)
        return True

    def begin(self) -> None:
        """The first turn, in the calling thread."""
        with self._lock:
            self._due = True
        self._turn()

    def _ring(self, mail: Signal | BeatDue | None) -> None:
        """A time has come; None: the time to look again."""
        if mail is None:
            self.look()
        else:
            self._put(mail)

    def _put(self, *mail: Mail) -> None:
        with self._lock:
            if self._closed:
                return
            self._mailbox.extend(mail)
            # Who has a turn sees the news; who stepped back comes forward for it.
            if self._running or (self._due and not self._behind):
                return
            self._due, self._behind = True, False
        self._owner.crew.turn(self._turn, self._row.id)

    # -- a turn ---------------------------------------------------------------------------

    def _turn(self) -> None:
        with self._lock:
            if self._closed or self._running or not self._due:
                return  # It came forward, and had this turn already.
            self._running, self._due, self._behind = True, False, False
        try:
            more = self._step()
        except journal.Stopping:
            return
        except Exception as exc:
            self._owner.broke(self, exc)
            return
        with self._lock:
            self._running = False
            news = self._told or bool(self._mailbox)
            if self._closed or not (more or news):
                return
            self._due, self._behind = True, not news
        if news:
            self._owner.crew.turn(self._turn, self._row.id)
        else:
            self._owner.crew.later(self._turn, self._row.project_id)

    def _step(self) -> bool:
        """One turn. True: there is more to compute."""
        if self._first is not None:
            # What the inbox says is about commands that follow from this one.
            self._compute()
        self._read_inbox()
        self._compute()
        then = self._then()
        if then is not _STAY or self._journal.due:
            done = self._journal.write(self.progress.execution, then, self.now())
            if done is None:
                self._owner.refused(self)
                return False
            if isinstance(then, db.Park) and done.parked:
                self._owner.parked(self)
                return False
            self._told = self._told or done.deliveries > self._journal.taken
        self._end_commands()
        if isinstance(then, db.Settle):
            self._owner.settled(self, then)
            return False
        return self._go_on()

    def _compute(self) -> None:
        """Take what was said, for a slice of time."""
        self._until = time.monotonic() + SLICE
        while (signal := self._next()) is not None:
            self._take(signal)
            if time.monotonic() >= self._until:
                break

    def _take(self, signal: Signal) -> None:
        taken = self.progress.advance(signal, self._enough)
        if taken is not None:
            self._journal.add(taken)
            self._moved = time.monotonic()

    def _go_on(self) -> bool:
        """Have done what is new, or leave it to others while draining."""
        runnable = self.progress.execution.runnable
        if self._owner.draining and self._leaves():
            self._owner.give_back(self)
            return False
        self._begin_commands()
        return runnable

    def _enough(self) -> bool:
        """Whether to leave the rest for a later turn: others wait, or there is news."""
        return self._told or time.monotonic() >= self._until

    def _next(self) -> Signal | None:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        while self._entries:
            number, signal = self._entries.popleft()
            self._journal.take(number)
            if signal is not None:
                return signal
        while self._mailbox:
            mail = self._mailbox.popleft()
            if isinstance(mail, Signal):
                return mail
            if isinstance(mail, Ran):
                self._journal.record(mail.record)
                return mail.answer
            if isinstance(mail, Retry):
                self._again = True
                self.progress.put_back([mail.command])
            elif mail.command.id in self.progress.begun:
                late = self._alarms.late(mail)
                if late is not None:
                    return late
        if self.progress.execution.runnable and not self._told:
            return signals.Continued(time=self.now())
        return None

    def _read_inbox(self) -> None:
        if not self._told or self._entries:
            return
        self._told = False
        try:
            entries, complete = self._owner.inbox.read(self, self._journal.taken, self.progress)
            self._entries.extend(entries)
            if not complete:
                self._alarms.wake("inbox")
        except errors.Unavailable as exc:
            LOG.warning("execution %s: its inbox is read later: %s", self._row.id, exc)
            self._alarms.wake("inbox")

    def _then(self) -> db.Stay | db.Park | db.Settle:
        """What becomes of it after this turn."""
        execution = self.progress.execution
        if execution.status != language.RUNNING:
            return self._journal.outcome(execution)
        if self._told or self._entries or self._mailbox or execution.runnable:
            return _STAY
        if self._row.type == "EXPRESS":
            return _STAY
        progress, crowded = self.progress, self._crowded()
        wake = parking.wake_at(
            progress.waiting,
            progress.submitted,
            progress.remote,
            self._alarms.beats,
            crowded=crowded,
        )
        nap = STILL if crowded else self._owner.park_after
        if wake is None or wake < self.now() + nap:
            return _STAY
        return db.Park(None if math.isinf(wake) else wake)

    def _crowded(self) -> bool:
        """Whether to make room for others. What moves stays: coming back costs a replay."""
        still = time.monotonic() - self._moved >= STILL
        return self._owner.draining or (still and self._owner.crowded)

    def _leaves(self) -> bool:
        """While draining: can others take it over now without losing anything?"""
        progress = self.progress
        if self._row.type == "EXPRESS":
            return False
        begun = progress.begun.values()
        far = parking.wake_at(
            begun, progress.submitted, progress.remote, self._alarms.beats, crowded=True
        )
        return far is not None and not self._entries

    # -- commands -------------------------------------------------------------------------

    def _end_commands(self) -> None:
        for over in self.progress.take_over():
            self._alarms.cancel(over.command)
            if over.stop and not isinstance(over.command, StartTimer):
                performer = self._owner.performer(base.performer_of(over.command))
                try:
                    performer.cancel(self, over.command)
                except Exception:
                    # Not the command itself: it may hold a token, or what is secret in a payload.
                    LOG.exception("execution %s: %d goes on", self._row.id, over.command.id)

    def _begin_commands(self) -> None:
        groups: dict[str, list[Request]] = {}
        for command in self.progress.take_new():
            self._alarms.set(command)
            if not isinstance(command, StartTimer) and command.id not in self.progress.submitted:
                groups.setdefault(base.performer_of(command), []).append(command)
        again, self._again = self._again, False
        for name, commands in groups.items():
            try:
                self._owner.performer(name).perform(self, commands, again)
            except errors.Unavailable as exc:
                LOG.warning("execution %s: %s waits: %s", self._row.id, name, exc)
                self.progress.put_back(commands)
                self._again = True
                self._alarms.wake("commands")
            except Exception:
                LOG.exception("execution %s: %s failed", self._row.id, name)
                self._put(*(self._internal(command) for command in commands))

    def _internal(self, command: Request) -> Signal:
        cause = "Internal failure: the operator's log says more"
        return signals.TaskFailed(
            time=self.now(), id=command.id, error="States.Runtime", cause=cause
        )
