"""Executions that a held execution starts: bringing them up, stopping them, reading their ends.

Used by the performers of distributed Maps and of compositions that start compositions.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Final

from funcflow import errors, ids, models, offload, queues
from funcflow.compositions import signals
from funcflow.compositions.commands import RunChild, RunTask
from funcflow.conductor.compositions import base
from funcflow.db import composition_executions as db
from funcflow.db.engine import Database
from funcflow.states import CompositionState

LOG = logging.getLogger(__name__)

#: AWS's words for how an execution ended.
STATUSES: Final = {
    CompositionState.SUCCEEDED: "SUCCEEDED",
    CompositionState.FAILED: "FAILED",
    CompositionState.TIMED_OUT: "TIMED_OUT",
    CompositionState.ABORTED: "ABORTED",
    CompositionState.DEAD: "FAILED",
}
_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), check_circular=False).encode


class Offspring:
    """For any thread."""

    def __init__(
        self,
        database: Database,
        launcher: base.Launcher,
        texts: offload.Offload,
        clock: Callable[[], float],
        shard_of: Callable[[str], int],
        full: queues.Queues,
        max_depth: int,
    ) -> None:
        """
        :param shard_of: the board's shard of a composition, by its id
        :param full: says when too many executions wait
        :param max_depth: executions that may be nested in each other
        """
        self.launch = launcher.launch
        self.shard_of = shard_of
        self.check = full.check
        self._database = database
        self._texts = texts
        self._clock = clock
        self._max_depth = max_depth

    def too_deep(self, row: models.CompositionExecution) -> str | None:
        """Why an execution may not start another one; None: it may."""
        if row.depth < self._max_depth:
            return None
        return f"Executions may be nested {self._max_depth} deep"

    def text(self, value: Any) -> str:
        """An input, as a row keeps it.

        :raises funcflow.errors.Unavailable: it is large, and the store is away
        """
        return self._texts.out(_encode(value))

    def value(self, text: str | None) -> Any:
        """An input or output of a row."""
        return None if text is None else json.loads(self._texts.back(text))

    def read(self, execution_ids: Sequence[str]) -> dict[str, models.CompositionExecution]:
        """The executions there are, by id."""
        with self._database.read() as conn:
            return {row.id: row for row in db.among(conn, execution_ids)}

    def stop(self, execution_id: str) -> None:
        """Soon, and best effort: nobody waits for its end any more."""

        def told(done: Future[db.Delivered | None]) -> None:
            if done.exception() is not None:
                LOG.warning("execution %s goes on: %s", execution_id, done.exception())

        now = self._clock()
        stopped = signals.Stopped(time=now, cause="The execution that started it has ended")
        deliver = db.Deliver(execution_id, (_encode(signals.dump(stopped)),), now)
        try:
            self._database.submit(deliver).add_done_callback(told)
        except errors.Unavailable as exc:
            LOG.warning("execution %s goes on: %s", execution_id, exc)


def id_of(row: models.CompositionExecution, command: RunTask | RunChild) -> str:
    """The id of what is started for a command follows from the command, so that asking again
    is harmless."""
    # EXPRESS begins anew in each life, and may ask for something else under the same number.
    life = row.epoch if row.type == "EXPRESS" else 0
    return ids.derived(command.since, row.id, command.id, life)


def outcome_of(row: models.CompositionExecution) -> tuple[str | None, str | None]:
    """Error and cause of an execution that did not succeed."""
    if row.state is CompositionState.DEAD:
        return "Funcflow.DeadLetter", f"The platform failed it too often ({row.reason})"
    if row.state is CompositionState.TIMED_OUT and row.error is None:
        return "States.Timeout", row.cause
    return row.error, row.cause
