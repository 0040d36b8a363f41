"""Removes finished jobs from the board, many at a time, after the reply went out.

The outcome is already in the row, so this is only cleaning up: what is left behind by a
crash is found by the next claimer, which sees the outcome and consumes the job.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from funcflow import errors
from funcflow.jobboards import base as board_base

LOG = logging.getLogger(__name__)
BATCH = 100
RETRY = 0.5
#: Seconds in which further claims gather. Nobody waits for them to be consumed, and a
#: crash in between costs only that the next claimer consumes them.
GATHER = 0.01


class Consumer:
    """One thread with a list of claims to consume."""

    def __init__(
        self,
        board: board_base.Board,
        after: Callable[[list[board_base.Claim]], None] = lambda claims: None,
    ) -> None:
        """:param after: called when the jobs of these claims have left the board"""
        self._board = board
        self._after = after
        self._ready = threading.Condition()
        self._claims: list[board_base.Claim] = []
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="consumer", daemon=True)
        self._thread.start()

    def consume(self, claim: board_base.Claim) -> None:
        """Soon."""
        with self._ready:
            self._claims.append(claim)
            if len(self._claims) in (1, BATCH):
                self._ready.notify()

    def void(self) -> None:
        """The session is gone, and every claim with it."""
        with self._ready:
            self._claims.clear()

    def stop(self) -> None:
        """Consume what is left, if the board lets us, and end."""
        with self._ready:
            self._stopping = True
            self._ready.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._ready:
                while not self._claims and not self._stopping:
                    self._ready.wait()
                if not self._claims:
                    return
                if len(self._claims) < BATCH and not self._stopping:
                    self._ready.wait(GATHER)
                batch, self._claims = self._claims[:BATCH], self._claims[BATCH:]
            try:
                self._board.consume(batch)
                self._after(batch)
            except errors.FuncflowError as exc:
                LOG.warning("%d finished jobs stay on the board for now: %s", len(batch), exc)
                with self._ready:
                    if self._stopping:
                        return
                    self._claims[:0] = batch
                    self._ready.wait(RETRY)
