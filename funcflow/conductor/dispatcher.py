"""Takes work from the board as soon as there is work and room for it.

One thread, woken by the board (something was posted) and by finished work (a slot is
free). It claims in batches, its own shards first; with nothing to do there it helps out
on the shards of others. Each kind of work has a lane with room of its own.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import logging
import random
import threading
from collections.abc import Callable, Mapping

from funcflow import errors, models
from funcflow.conductor import runner, slots
from funcflow.jobboards import base as board_base

LOG = logging.getLogger(__name__)

#: Seconds between looks when nothing woke the dispatcher.
LOOK = 0.5
#: Seconds to leave a broken board or database alone.
PAUSE = 0.5


@dataclasses.dataclass(slots=True, eq=False)
class Lane:
    """One kind of work."""

    slots: slots.Slots
    #: Takes what was claimed, with the slot; must not block.
    take: Callable[[board_base.Claim], object]
    #: Work was left on the board for want of slots.
    starved: bool = False


class Dispatcher:
    """The claim loop of one conductor. ``lanes`` by the kind of tickets."""

    def __init__(self, board: board_base.Board, lanes: Mapping[str, Lane]) -> None:
        self._board = board
        self._lanes = lanes
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There may be work."""
        self._wake.set()

    def freed(self) -> None:
        """There is a free slot; that matters only while work waits for one."""
        if any(lane.starved for lane in self._lanes.values()):
            self._wake.set()

    def stop(self) -> None:
        """Claim nothing more. May be called twice, and before ``start``."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        helping = False
        while not self._stopping.is_set():
            # Who needed help a moment ago may need more.
            woken = helping or self._wake.wait(LOOK * random.uniform(0.5, 1.0))
            self._wake.clear()
            if self._stopping.is_set():
                return
            try:
                mine = self._claim(self._board.waiting())
                helping = not mine and (helping or not woken) and self._help_out() > 0
            except errors.FuncflowError as exc:
                LOG.warning("cannot claim now: %s", exc)
                self._stopping.wait(PAUSE)
            except Exception:
                LOG.exception("claiming failed")
                self._stopping.wait(PAUSE)

    def _claim(self, waiting: list[board_base.Ticket]) -> int:
        """Claim and start what there is room for; how many."""
        kinds: dict[str, list[board_base.Ticket]] = {kind: [] for kind in self._lanes}
        for ticket in waiting:
            kinds[ticket.kind].append(ticket)
        # Set before looking, so that a slot freed meanwhile wakes us again.
        for kind, lane in self._lanes.items():
            lane.starved = bool(kinds[kind])
        chosen: list[board_base.Ticket] = []
        for kind, lane in self._lanes.items():
            mine = lane.slots.choose(kinds[kind]) if kinds[kind] else []
            lane.starved = len(mine) < len(kinds[kind])
            chosen += mine
        if not chosen:
            return 0
        won: set[board_base.Ticket] = set()
        try:
            for claim in self._board.claim(chosen):
                won.add(claim.ticket)
                self._lanes[claim.ticket.kind].take(claim)
        finally:
            for ticket in chosen:
                if ticket not in won:
                    self._lanes[ticket.kind].slots.give(ticket.project_id)
        return len(won)

    def _help_out(self) -> int:
        """Look at one shard of somebody else, who may be busy or gone; what was claimed."""
        own = set(self._board.own_shards())
        foreign = [
            shard
            for shard in range(self._board.shards)
            if shard not in own and self._board.depth(shard)
        ]
        return self._claim(self._board.waiting([random.choice(foreign)])) if foreign else 0


class FunctionWork:
    """Takes claimed executions of functions: each runs on a thread of the executor."""

    def __init__(
        self,
        board: board_base.Board,
        runner: runner.Runner,
        executor: concurrent.futures.Executor,
        give: Callable[[str], None],
        after: Callable[[models.Execution], None],
    ) -> None:
        """
        :param give: gives the slot of a project back
        :param after: told each execution as it is after its run
        """
        self._board = board
        self._runner = runner
        self._executor = executor
        self._give = give
        self._after = after
        self._stopping = threading.Event()

    def take(self, claim: board_base.Claim) -> None:
        self._executor.submit(self._work, claim)

    def stop(self) -> None:
        """Wait for nothing any more."""
        self._stopping.set()

    def _work(self, claim: board_base.Claim) -> None:
        try:
            execution = self._runner.run_claim(claim)
            if execution is not None:
                self._after(execution)
        except Exception as exc:
            if isinstance(exc, errors.Unavailable):
                LOG.warning("execution %s: not started now: %s", claim.ticket.execution_id, exc)
            else:
                LOG.exception("execution %s: not started", claim.ticket.execution_id)
            self._back_off(claim)
        finally:
            self._give(claim.ticket.project_id)

    def _back_off(self, claim: board_base.Claim) -> None:
        """The database is away: give the claim back, but not at once, or it would spin."""
        self._stopping.wait(PAUSE)
        try:
            self._board.release([claim])
        except errors.FuncflowError as exc:
            LOG.warning("claim of %s stays until the session ends: %s", claim.ticket, exc)
