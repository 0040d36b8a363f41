"""Takes work from the board as soon as there is work and room for it.

One thread, woken by the board (something was posted) and by finished runs (a slot is
free). It claims in batches, its own shards first; with nothing to do there it helps out
on the shards of others.
"""

from __future__ import annotations

import concurrent.futures
import logging
import random
import threading

from funcflow import errors
from funcflow.conductor import runner, slots
from funcflow.jobboards import base as board_base

LOG = logging.getLogger(__name__)

#: Seconds between looks when nothing woke the dispatcher.
LOOK = 0.5
#: Seconds to leave a broken board or database alone.
PAUSE = 0.5


class Dispatcher:
    """The claim loop of one conductor."""

    def __init__(
        self,
        board: board_base.Board,
        slots: slots.Slots,
        runner: runner.Runner,
        executor: concurrent.futures.Executor,
    ) -> None:
        self._board = board
        self._slots = slots
        self._runner = runner
        self._executor = executor
        self._wake = threading.Event()
        #: Work was left on the board for want of slots.
        self._starved = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There may be work."""
        self._wake.set()

    def freed(self) -> None:
        """There is a free slot; that matters only while work waits for one."""
        if self._starved:
            self._wake.set()

    def stop(self) -> None:
        """Claim nothing more. May be called twice, and before ``start``."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            woken = self._wake.wait(LOOK * random.uniform(0.5, 1.0))
            self._wake.clear()
            if self._stopping.is_set():
                return
            try:
                if not self._claim(self._board.waiting()) and not woken:
                    self._help_out()
            except errors.FuncflowError as exc:
                LOG.warning("cannot claim now: %s", exc)
                self._stopping.wait(PAUSE)
            except Exception:
                LOG.exception("claiming failed")
                self._stopping.wait(PAUSE)

    def _claim(self, waiting: list[board_base.Ticket]) -> int:
        """Claim and start what there is room for; how many."""
        # Set before looking, so that a slot freed meanwhile wakes us again.
        self._starved = bool(waiting)
        chosen = self._slots.choose(waiting) if waiting else []
        self._starved = len(chosen) < len(waiting)
        if not chosen:
            return 0
        won: set[board_base.Ticket] = set()
        try:
            for claim in self._board.claim(chosen):
                won.add(claim.ticket)
                self._executor.submit(self._work, claim)
        finally:
            for ticket in chosen:
                if ticket not in won:
                    self._slots.give(ticket.project_id)
        return len(won)

    def _help_out(self) -> None:
        """Look at one shard of somebody else, who may be busy or gone."""
        own = set(self._board.own_shards())
        foreign = [shard for shard in range(self._board.shards) if shard not in own]
        if foreign:
            self._claim(self._board.waiting([random.choice(foreign)]))

    def _work(self, claim: board_base.Claim) -> None:
        try:
            self._runner.run_claim(claim)
        except Exception as exc:
            if isinstance(exc, errors.Unavailable):
                LOG.warning("execution %s: not started now: %s", claim.ticket.execution_id, exc)
            else:
                LOG.exception("execution %s: not started", claim.ticket.execution_id)
            self._back_off(claim)
        finally:
            self._slots.give(claim.ticket.project_id)
            self.freed()

    def _back_off(self, claim: board_base.Claim) -> None:
        """The database is away: give the claim back, but not at once, or it would spin."""
        self._stopping.wait(PAUSE)
        try:
            self._board.release([claim])
        except errors.FuncflowError as exc:
            LOG.warning("claim of %s stays until the session ends: %s", claim.ticket, exc)
