"""Gives back what people lent and nobody needs any more.

One thread in every conductor; the one that owns the first shard works. It has a thread of its own
because Keystone may take its time, and nothing else may wait for that.
"""

from __future__ import annotations

import logging
import threading

from funcflow import errors
from funcflow.jobboards import base as board_base
from funcflow.trusts import book

LOG = logging.getLogger(__name__)


class Returns:
    """The thread."""

    def __init__(self, board: board_base.Board, trusts: book.Trusts, interval: float) -> None:
        """:param interval: seconds between looks"""
        self._board = board
        self._trusts = trusts
        self._interval = interval
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="returns", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._interval):
            if 0 not in self._board.own_shards():
                continue
            try:
                self._trusts.sweep(stopping=self._stopping.is_set)
            except errors.FuncflowError as exc:
                LOG.warning("trusts are removed later: %s", exc)
            except Exception:
                LOG.exception("trusts are removed later")
