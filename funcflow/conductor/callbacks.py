"""Tells others that executions ended: callbacks that are due, claimed one by one.

One thread in every conductor looks for due ones, a few others do the telling. An attempt that
fails is made again, later and later; what could not be told for too long is dead and kept. A
conductor that dies leaves its claims to end by themselves: whoever is told must take being told
twice, which each teller makes sure of.

While an execution is open, its callback is looked at now and then: when nobody waits for it any
more, the execution is cancelled.
"""

from __future__ import annotations

import concurrent.futures
import functools
import json
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

from oslo_config import cfg

from funcflow import errors, offload, outward
from funcflow.callbacks import DELETED, Callback, End, Kind, Stage
from funcflow.compositions import signals
from funcflow.conductor import mistral, rounds, runner
from funcflow.conductor.compositions import offspring
from funcflow.db import callbacks as db
from funcflow.db import composition_executions, executions
from funcflow.db.engine import Database
from funcflow.states import COMPOSITION_OPEN, OPEN, CompositionState, State

LOG = logging.getLogger(__name__)

#: Seconds between looks at what is due.
LOOK: Final = 0.25
#: Callbacks told at the same time.
THREADS: Final = 8
#: Requests that telling one takes at most, and seconds a claim lasts beyond them.
_REQUESTS, _SPARE = 2, 5.0
#: Looks at an old execution are this much rarer than at a young one.
_RARER: Final = 12
_CAUSE: Final = "Nobody waits for it any more"


class Teller(Protocol):
    """Knows one kind of callback."""

    def tell(self, callback: Callback, end: End) -> None:
        """Tell; when it was told before, notice that.

        :raises funcflow.conductor.mistral.Never: it cannot be told, however often it is tried
        :raises funcflow.errors.FuncflowError: not now
        """

    def wanted(self, callback: Callback) -> bool:
        """Whether anybody waits for the end.

        :raises funcflow.errors.FuncflowError: who knows
        """


class Callbacks:
    """The callbacks of one conductor."""

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        database: Database,
        texts: offload.Offload,
        cancel: Callable[[str], object],
        nudge: Callable[[str, str | None], None],
    ) -> None:
        """
        :param cancel: stops a run here, by id
        :param nudge: has a composition's execution look into its inbox, by id and owner
        """
        options = conf.callbacks
        self._database = database
        self._texts = texts
        self._cancel = cancel
        self._nudge = nudge
        self._policy = runner.Policy(0, options.backoff, options.max_backoff)
        self._max_age: float = options.max_age
        self._look: float = options.look
        self._retention: float = conf.database.retention
        self._lease = _REQUESTS * options.timeout + _SPARE
        self._tellers: Mapping[Kind, Teller] = {Kind.MISTRAL: mistral.Mistral(conf)}
        self._pool = ThreadPoolExecutor(THREADS, "callback")
        self._purge_at = 0.0
        self._rounds = rounds.Rounds("callbacks", self._round, LOOK)
        self.told = self.failed = self.buried = 0

    def start(self) -> None:
        self._rounds.start()

    def stop(self) -> None:
        """End what is being told, and no more."""
        self._rounds.stop()
        self._pool.shutdown()

    def wake(self) -> None:
        """Something may be due."""
        self._rounds.wake()

    def metrics(self) -> Mapping[str, float]:
        return {
            "callbacks_told_total": self.told,
            "callbacks_failed_total": self.failed,
            "callbacks_buried_total": self.buried,
        }

    def _round(self) -> int:
        told = self.work()
        if not told and self._retention and time.monotonic() > self._purge_at:
            self._purge_at = time.monotonic() + self._retention / 10
            before = time.time() - self._retention
            self._database.transact(functools.partial(db.purge, before=before))
        return told

    def work(self) -> int:
        """Claim what is due and see to it; how many were ours."""
        now = time.time()
        with self._database.read() as connection:
            found = db.due(connection, now, THREADS)
        claims = [db.Claim(each, now + self._lease) for each in found]
        writing = [self._database.submit(claim) for claim in claims]
        mine = [c.claimed() for c, done in zip(claims, writing, strict=True) if done.result()]
        working = [self._pool.submit(self._see_to, callback) for callback in mine]
        concurrent.futures.wait(working)
        return len(mine)

    def _see_to(self, callback: Callback) -> None:
        try:
            if callback.stage is Stage.WAITING:
                self._look_at(callback)
            else:
                self._tell(callback)
        except errors.FuncflowError as exc:  # the claim will end
            LOG.warning("the callback of execution %s: %s", callback.execution_id, exc)
        except Exception:
            LOG.exception("the callback of execution %s failed", callback.execution_id)

    # -- the end --------------------------------------------------------------------------

    def _tell(self, callback: Callback) -> None:
        try:
            self._tellers[callback.kind].tell(callback, self._end(callback))
        except mistral.Never as exc:
            self._bury(callback, exc.message)
        except errors.FuncflowError as exc:
            self.failed += 1
            now = time.time()
            if now - (callback.ended_at or now) > self._max_age:
                self._bury(callback, exc.message)
                return
            LOG.info("execution %s: told later: %s", callback.execution_id, exc)
            again = now + self._policy.delay(callback.attempts)
            self._database.write(db.Postpone(callback, again, exc.message))
        else:
            self.told += 1
            self._database.write(db.Told(callback))

    def _bury(self, callback: Callback, reason: str) -> None:
        self.buried += 1
        LOG.error("execution %s: nobody can be told: %s", callback.execution_id, reason)
        self._database.write(db.Bury(callback, reason))

    def _end(self, callback: Callback) -> End:
        """How its execution ended.

        :raises funcflow.errors.Unavailable: it goes on (again), or its output is out of reach
        """
        if callback.source == "composition":
            return self._end_of_composition(callback.execution_id)
        with self._database.read() as connection:
            row = executions.find(connection, callback.execution_id)
        if row is None:
            return End(execution_id=callback.execution_id, error=DELETED)
        if row.state in OPEN:
            raise errors.Unavailable("it was redriven")
        end = End(execution_id=row.id, output=row.output, duration=row.usage.run)
        if row.state is State.SUCCEEDED:
            return end
        error = ("Lost", "the execution may have run, and is not run again")
        if row.error is not None:
            error = (row.error.type, row.error.message)
        elif row.state is State.DEAD:
            error = ("DeadLetter", f"the platform gave up: {row.reason}")
        elif row.state is State.CANCELLED:
            error = ("Cancelled", "the execution was cancelled")
        cancelled = row.state is State.CANCELLED
        return End(execution_id=row.id, error=error, cancelled=cancelled, duration=row.usage.run)

    def _end_of_composition(self, execution_id: str) -> End:
        with self._database.read() as connection:
            row = composition_executions.find(connection, execution_id)
        if row is None:
            return End(execution_id=execution_id, error=DELETED)
        if row.state in COMPOSITION_OPEN:
            raise errors.Unavailable("it was redriven")
        took = max(0.0, (row.finished_at or 0.0) - (row.started_at or row.finished_at or 0.0))
        if row.state is CompositionState.SUCCEEDED:
            output = None if row.output is None else self._texts.back(row.output)
            return End(execution_id=row.id, output=output, duration=took)
        error, cause = offspring.outcome_of(outward.seen(row))
        cancelled = row.state is CompositionState.ABORTED
        told = (error or ("Cancelled" if cancelled else "States.Runtime"), cause or "")
        return End(execution_id=row.id, error=told, cancelled=cancelled, duration=took)

    # -- before the end -------------------------------------------------------------------

    def _look_at(self, callback: Callback) -> None:
        """Cancel an execution nobody waits for; else look again later."""
        reason = None
        try:
            wanted = self._tellers[callback.kind].wanted(callback)
        except errors.FuncflowError as exc:
            wanted, reason = True, exc.message
        if not wanted:
            LOG.info("execution %s is cancelled: %s", callback.execution_id, _CAUSE)
            self._stop(callback)
        now = time.time()
        pause = min(max(self._look, now - callback.created_at), _RARER * self._look)
        # Nothing happens when the execution has ended meanwhile.
        self._database.write(db.Postpone(callback, now + pause, reason))

    def _stop(self, callback: Callback) -> None:
        now, key = time.time(), callback.execution_id
        if callback.source == "function":
            if self._database.write(executions.Cancel(key, now)) is not None:
                self._cancel(key)  # Elsewhere the sweeper sees the row.
            return
        stopped = json.dumps(signals.dump(signals.Stopped(time=now, cause=_CAUSE)))
        told = self._database.write(composition_executions.Deliver(key, (stopped,), now))
        if told is not None:
            self._nudge(key, told.owner)
