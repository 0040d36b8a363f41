"""What a synchronous caller is told when its conductor is slow or gone."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from funcflow import conf, errors, models, submit
from funcflow.db import executions, functions, runtimes, schema
from funcflow.db.engine import Database
from funcflow.states import State

CONTEXT = models.RequestContext(project_id="p", request_id="r")


class Board:
    """A board that is there and empty."""

    connected = True

    def shard_of(self, function_id: str) -> int:
        return 0


class Handover:
    """Takes the call, and goes away without an answer; the row comes later or never."""

    def __init__(self, database: Database, row_after: float | None) -> None:
        self._database = database
        self._row_after = row_after
        self.timers: list[threading.Timer] = []

    def run(self, execution: models.Execution, wait: float) -> None:
        if self._row_after is not None:
            running = dataclasses.replace(
                execution, state=State.RUNNING, attempts=1, epoch=1, owner="c", started_at=1.0
            )
            timer = threading.Timer(
                self._row_after, self._database.write, [executions.Insert(running, True)]
            )
            timer.start()
            self.timers.append(timer)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path}/db"
    schema.upgrade(url)
    made = Database(url)
    made.transact(lambda conn: runtimes.ensure_defaults(conn, "p"))
    revision = models.Revision(
        function_id="f", number=1, project_id="p", runtime_id=None, code={}, digest="d"
    )
    function = models.Function(
        id="f", name="f", project_id="p", revision=revision, created_at=time.time()
    )
    made.transact(lambda conn: functions.create(conn, function, limit=10))
    yield made
    made.close()


def submitter(database: Database, handover: Handover) -> submit.Submitter:
    return submit.Submitter(conf.load(), database, Board(), handover, None)  # type: ignore[arg-type]


def test_a_row_that_comes_after_the_wait_is_waited_for(database: Database) -> None:
    """The wait is over at once, but the call goes on: that is a 202, not a failure."""
    handover = Handover(database, row_after=0.3)
    done = submitter(database, handover).submit(CONTEXT, submit.Call(function_id="f", wait=0.0))
    assert done.execution.state is State.RUNNING
    assert done.created
    for timer in handover.timers:
        timer.join()


def test_a_call_that_never_became_durable_is_said_to_be_lost(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submit, "DURABLE", 0.2)
    with pytest.raises(errors.Unavailable, match="lost before it was durable"):
        submitter(database, Handover(database, None)).submit(
            CONTEXT, submit.Call(function_id="f", wait=0.0)
        )
