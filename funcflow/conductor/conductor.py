"""One conductor: claims jobs, takes hand-overs, runs functions, cleans up.

Built by :mod:`funcflow.cmd`; in the embedded server it meets
:class:`funcflow.handover.Handover` and :class:`funcflow.control.Control` in process.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from oslo_config import cfg

from funcflow import control, definitions, errors, handover, models, packages, states
from funcflow.conductor import (
    callbacks,
    catalog,
    consumer,
    dispatcher,
    ledger,
    logs,
    pools,
    returns,
    runner,
    scaling,
    secrets,
    settings,
    sweeper,
)
from funcflow.conductor.compositions import assembly, entry, runs
from funcflow.conductor.notices import teller
from funcflow.db import executions
from funcflow.db.engine import Database
from funcflow.jobboards import base as board_base
from funcflow.quotas import base as quotas
from funcflow.sandboxes import base as sandbox_base
from funcflow.secrets import masking
from funcflow.stores import base as store_base
from funcflow.trusts import book

LOG = logging.getLogger(__name__)

#: Seconds that stopping a run which timed out, and writing, may take.
GRACE = 10.0


class Conductor(board_base.Listener):
    """Owns the threads of a conductor; the parts know nothing of each other's threads."""

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        database: Database,
        board: board_base.Board,
        sandbox: sandbox_base.Sandbox,
        store: store_base.Store,
        known: definitions.Definitions,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """:param clock: the wall clock that compositions wait by"""
        self.name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._conf = conf
        self._database = database
        self._board = board
        self._sandbox = sandbox
        self._stopping = threading.Event()
        self._draining = False
        self._unmask: Callable[[], None] = lambda: None
        self._packages = packages.Cache(settings.cache_dir(conf), conf.store.cache_size, store)
        self._catalog = catalog.Catalog(database, quotas.load(conf, database))
        self._secrets = secrets.Secrets(conf, database)
        self._trusts = book.load(conf, database)
        bounds = settings.bounds_of(conf, sandbox.local)
        self._pools = pools.Pools(sandbox, self._packages.fetch, bounds, self._secrets.mount)
        self._ledger = ledger.Ledger(database, self._stopping)
        self._flusher = logs.LogFlusher(self._ledger.append_logs)
        self._consumer = consumer.Consumer(board)
        limits, policy = settings.limits_of(conf), settings.policy_of(conf)
        self._runner = runner.Runner(
            board=board,
            database=database,
            catalog=self._catalog,
            pools=self._pools,
            ledger=self._ledger,
            flusher=self._flusher,
            consumer=self._consumer,
            limits=limits,
            policy=policy,
            trusts=self._trusts,
        )
        self._slots = settings.slots_of(conf)
        times = settings.times_of(conf)
        self._executor = concurrent.futures.ThreadPoolExecutor(self._slots.capacity, "run")
        self._work = dispatcher.FunctionWork(
            board, self._runner, self._executor, self._give, self._after
        )
        self._functions = dispatcher.Lane(self._slots, self._work.take)
        self._compositions = assembly.Compositions(
            assembly.Around(
                conf=conf,
                name=self.name,
                database=database,
                board=board,
                definitions=known,
                catalog=self._catalog,
                runner=self._runner,
                runs=runs.Parts(self._catalog, self._pools, self._ledger, limits, self._trusts),
                policy=policy,
                slots=self._slots,
                starved=lambda: self._functions.starved,
                freed=self._freed,
                times=times,
                clock=clock,
            )
        )
        lanes = {"function": self._functions, "composition": self._compositions.keeper.lane}
        self._dispatcher = dispatcher.Dispatcher(board, lanes)
        self._scaler = scaling.Scaler(board, database, self._catalog, self._pools, self.name)
        self._callbacks = callbacks.Callbacks(
            conf, database, known.texts, self._runner.cancel, self.nudge
        )
        self._teller = teller.Teller(conf, database, known.texts)
        self._sweeper = sweeper.Sweeper(
            board, database, self._runner, self._pools, store, times, self._compositions.feeder
        )
        self._returns = returns.Returns(board, self._trusts, times.interval)

    # -- life -----------------------------------------------------------------------------

    def start(
        self, listener: board_base.Listener, address: str | None, *, alone: bool = False
    ) -> None:
        """Join the board and start to work.

        :param listener: passes the board's events on, to this conductor among others
        :param address: where hand-overs are taken; None: only in process
        :param alone: nobody else works on this board, so rows that look open from an
            earlier life are put right at once
        """
        self._unmask = masking.install(lambda: self._secrets.hidden)
        swept = self._sandbox.sweep()
        if swept:
            LOG.warning("removed %d things a predecessor left behind", swept)
        self._board.start(listener, serve=True)
        self._board.join(board_base.Member(self.name, address, self._slots.capacity))
        if alone:
            self._sweeper.repost(grace=0.0)
            self._compositions.feeder.repost(grace=0.0)
        self._compositions.start()
        self._dispatcher.start()
        self._sweeper.start()
        self._returns.start()
        self._scaler.start()
        self._callbacks.start()
        self._teller.start()
        if not self._sandbox.local:
            threading.Thread(target=self._adopt, name="adopt", daemon=True).start()

    def _adopt(self) -> None:
        """Take over the workers of our earlier life."""
        left, taken = self._sandbox.left(), 0
        for _, function_id, number in left:
            try:
                self._pools.scale(self._catalog.definition(function_id, number), 1)
            except errors.FuncflowError as exc:
                LOG.warning("a worker of %s is not taken over: %s", function_id, exc)
            else:
                taken += 1
        LOG.info("took over %d of %d workers", taken, len(left))

    def drain(self) -> None:
        """Take nothing more."""
        self._draining = True
        self._dispatcher.stop()
        self._compositions.keeper.drain()

    def stop(self) -> None:
        """Drain: let calls end for a while, give back the rest, leave."""
        self.drain()
        self._scaler.stop()
        self._sweeper.stop()
        self._returns.stop()
        deadline = time.monotonic() + self._conf.conductor.drain
        while self._busy() and time.monotonic() < deadline:
            time.sleep(0.02)
        self._runner.give_up()
        self._stopping.set()
        self._work.stop()
        self._compositions.stop()
        self._callbacks.stop()
        self._teller.stop()
        self._sandbox.part()
        self._pools.close()
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._flusher.stop()
        self._consumer.stop()
        self._board.stop()
        self._sandbox.close()
        self._unmask()
        self._trusts.close()

    # -- the board's listener -------------------------------------------------------------

    def on_jobs(self) -> None:
        self._dispatcher.wake()

    def on_members(self) -> None:
        self._dispatcher.wake()

    def on_session(self, alive: bool) -> None:
        if alive:
            LOG.info("board session is up")
        else:
            LOG.warning("board session lost: every claim of this conductor is void")
            self._consumer.void()
            self._compositions.keeper.void()
        self._dispatcher.wake()

    def on_announce(self, topic: str) -> None:
        self._catalog.forget()
        self._secrets.forget()
        self._compositions.forget()

    # -- hand-over ------------------------------------------------------------------------

    def accept(self, execution: models.Execution) -> Future[models.Execution | None]:
        """Take a synchronous call. The future gives the execution as it is after the run.

        :raises funcflow.handover.Full: no room here
        """
        self._take(execution)
        try:
            return self._executor.submit(self._accepted, execution)
        except RuntimeError as exc:
            self._give(execution.project_id)
            raise handover.Leaving("this conductor is stopping", retry_after=1.0) from exc

    def run(self, execution: models.Execution, wait: float) -> models.Execution | None:
        """See :class:`funcflow.handover.Handover`.

        A call that is sure to end within the wait runs in the caller's thread: handing it
        to another one and back costs as much as running it.
        """
        definition = self._catalog.definition(execution.function_id, execution.revision)
        if wait > settings.ACQUIRE + GRACE + definition.revision.limits.timeout:
            self._take(execution)
            return self._accepted(execution)
        try:
            return self.accept(execution).result(wait)
        except TimeoutError:
            return None

    def accept_composition(self, execution: models.CompositionExecution) -> entry.Waiter:
        """As :meth:`accept`, for an execution of a composition.

        :raises funcflow.handover.Full: no room here
        """
        return self._compositions.entry.accept(execution)

    def start_composition(
        self, execution: models.CompositionExecution, wait: float
    ) -> models.CompositionExecution | None:
        """See :class:`funcflow.handover.Handover`."""
        return self._compositions.entry.start(execution, wait)

    def _busy(self) -> bool:
        return bool(self._slots.running or self._compositions.keeper.held())

    def _give(self, project_id: str) -> None:
        self._slots.give(project_id)
        self._freed()

    def _freed(self) -> None:
        """A slot is free, or there is room for another execution of a composition."""
        self._compositions.freed()
        self._dispatcher.freed()

    def _after(self, execution: models.Execution) -> None:
        """A run from the board is over."""
        self._compositions.ended(execution)
        self._callbacks.wake()

    def _take(self, execution: models.Execution) -> None:
        if self._draining:
            raise handover.Leaving("this conductor is stopping", retry_after=1.0)
        if not self._slots.take(execution.project_id):
            raise handover.Full("this conductor is full", retry_after=1.0)

    def _accepted(self, execution: models.Execution) -> models.Execution | None:
        """Post and claim in one step, write the row as running, run."""
        try:
            (claim,) = self._board.post_claimed([sweeper.ticket_of(execution)])
            try:
                started = self._insert(execution, claim)
            except BaseException:
                self._consumer.consume(claim)
                raise
            if started.id != execution.id:
                self._consumer.consume(claim)
                return started
            return self._runner.run_started(claim, started)
        finally:
            self._give(execution.project_id)

    def _insert(self, execution: models.Execution, claim: board_base.Claim) -> models.Execution:
        bounds = self._catalog.bounds(execution.function_id, execution.project_id)
        now = time.time()
        if bounds is catalog.FREE:
            execution = dataclasses.replace(
                execution,
                state=states.State.RUNNING,
                attempts=1,
                epoch=claim.epoch,
                owner=claim.owner,
                started_at=now,
            )
            return self._database.write(executions.Insert(execution, True)).execution
        inserted = self._database.write(executions.Insert(execution, True))
        if not inserted.created:
            return inserted.execution
        started = self._database.write(
            executions.Start(
                id=execution.id,
                epoch=claim.epoch,
                owner=claim.owner,
                now=now,
                limit=bounds.limit,
                runs=bounds.runs,
                memory=bounds.memory,
            )
        )
        if isinstance(started, models.Execution):
            return started
        self._database.write(executions.Remove(execution.id))
        raise catalog.busy(started)

    # -- control --------------------------------------------------------------------------

    def workers(self, function_id: str, revision: int | None = None) -> list[control.WorkerInfo]:
        """See :class:`funcflow.control.Control`, as the following ones."""
        return [
            control.WorkerInfo(
                worker_name=slot.worker.id,
                conductor=self.name,
                function_id=function_id,
                revision=slot.key[2],
                busy=slot.busy,
                memory=slot.memory,
            )
            for slot in self._pools.slots()
            if slot.key[1] == function_id and revision in (None, slot.key[2])
        ]

    def scale(self, revision: models.Revision, count: int) -> int:
        definition = self._catalog.definition(revision.function_id, revision.number)
        return self._pools.scale(definition, count)

    def detach(self, function_id: str, revision: int | None = None) -> int:
        return self._pools.detach(function_id, revision, grace=4.0)

    def capacity(self, language: str) -> control.Capacity:
        return control.Capacity(*(self._sandbox.room(language) or self._pools.room()))

    def cancel(self, execution_id: str) -> None:
        self._runner.cancel(execution_id)

    def nudge(self, execution_id: str, owner: str | None = None) -> None:
        self._compositions.nudge(execution_id, owner, self.name)

    def metrics(self) -> Mapping[str, float]:
        """Gauges and counters of this conductor, by name without prefix."""
        return {
            "runs": self._slots.running,
            "run_capacity": self._slots.capacity,
            "workers": len(self._pools.slots()),
            "cold_starts_total": self._pools.cold_starts,
            "fenced_outcomes_total": self._ledger.fenced,
            **self._compositions.metrics(),
            **self._callbacks.metrics(),
            **self._teller.metrics(),
            **self._sandbox.metrics(),
        }
