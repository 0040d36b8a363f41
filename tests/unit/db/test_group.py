"""Group commit: batches, failures in them, and their order."""

from __future__ import annotations

import dataclasses
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from funcflow import errors
from funcflow.db import composition_inbox, executions, group, tables
from funcflow.db.engine import Database
from funcflow.states import State
from tests.unit.db import factory

NOW = 1000.0


@dataclasses.dataclass(frozen=True, slots=True)
class Gate(group.Op[None]):
    """Holds the writer until opened, so that what is submitted meanwhile is one batch."""

    entered: threading.Event
    opened: threading.Event

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Gate]) -> list[None]:
        for op in ops:
            op.entered.set()
            assert op.opened.wait(10)
        return [None for _ in ops]


@dataclasses.dataclass(frozen=True, slots=True)
class Size(group.Op[int]):
    """How many of its kind are applied together; fails when told to."""

    fail: bool = False

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Size]) -> list[int]:
        if any(op.fail for op in ops):
            batch.cursor.execute("SELECT * FROM no_such_table")
        return [len(ops) for _ in ops]


class Held:
    """``with Held(database)``: what is submitted inside is committed as one batch after it."""

    def __init__(self, database: Database) -> None:
        self._gate = Gate(threading.Event(), threading.Event())
        database.submit(self._gate)
        assert self._gate.entered.wait(10)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        self._gate.opened.set()


def test_what_waits_is_applied_together(database: Database) -> None:
    with Held(database):
        futures = [database.submit(Size()) for _ in range(50)]
    assert {future.result(10) for future in futures} == {50}


def test_a_failing_operation_harms_no_other(database: Database) -> None:
    made = [factory.execution() for _ in range(5)]
    with Held(database):
        before = [database.submit(executions.Insert(row, True)) for row in made[:3]]
        bad = database.submit(Size(fail=True))
        raising = database.submit(group.Call(_raise))
        after = [database.submit(executions.Insert(row, True)) for row in made[3:]]
    assert all(future.result(10).created for future in before + after)
    with pytest.raises(Exception, match="no_such_table"):
        bad.result(10)
    with pytest.raises(errors.Conflict):
        raising.result(10)
    with database.read() as connection:
        assert len(executions.counts(connection)) == 1
        assert sum(executions.counts(connection).values()) == 5


def _raise(connection: sa.Connection) -> None:
    connection.execute(sa.delete(tables.executions))
    raise errors.Conflict("no")


def test_operations_on_one_execution_keep_their_order(database: Database) -> None:
    made = factory.execution()
    with Held(database):
        inserted = database.submit(executions.Insert(made, True))
        started = database.submit(executions.Start(made.id, 1, "o", NOW))
        requeued = database.submit(executions.Requeue(made.id, 1, "o", NOW, "r"))
        restarted = database.submit(executions.Start(made.id, 2, "o", NOW))
        settle = executions.Settle(id=made.id, epoch=2, owner="o", state=State.FAILED, now=NOW)
        settled = database.submit(settle)
        late = database.submit(executions.Cancel(made.id, NOW))
    assert inserted.result(10).created
    assert started.result(10)
    assert requeued.result(10)
    assert restarted.result(10)
    assert settled.result(10)
    assert late.result(10) is None


def test_of_one_batch_each_gets_its_own_answer(database: Database) -> None:
    runs = [factory.running(database) for _ in range(20)]
    with Held(database):
        futures = []
        for place, run in enumerate(runs):
            epoch = 1 if place % 2 else 0
            logs = (factory.log(f"{place}"),)
            op = executions.Settle(
                id=run.id, epoch=epoch, owner=factory.OWNER, state=State.SUCCEEDED,
                output=f"{place}", logs=logs, now=NOW,
            )  # fmt: skip
            futures.append(database.submit(op))
    for place, (run, future) in enumerate(zip(runs, futures, strict=True)):
        assert future.result(10) is bool(place % 2)
        found = factory.find(database, run.id)
        assert found is not None
        assert found.output == (f"{place}" if place % 2 else None)
        with database.read() as connection:
            texts = [chunk.text for chunk in executions.logs(connection, run.id)]
        assert texts == ([f"{place}"] if place % 2 else [])


def test_a_cancelled_future_is_not_applied(database: Database) -> None:
    made = factory.execution()
    with Held(database):
        future = database.submit(executions.Insert(made, True))
        assert future.cancel()
        rest = database.submit(Size())
    assert rest.result(10) == 1
    assert factory.find(database, made.id) is None


def test_the_queue_is_bounded(tmp_path: Path) -> None:
    entered, opened = threading.Event(), threading.Event()

    def connect() -> sa.Connection:
        entered.set()
        assert opened.wait(10)
        raise errors.Unavailable("never")

    writer = group.GroupCommit(connect, "w", composition_inbox.tell, patience=0.1, max_waiting=2)
    first = writer.submit(Size())
    assert entered.wait(10)
    waiting = [writer.submit(Size()) for _ in range(2)]
    with pytest.raises(errors.Unavailable, match="keep up"):
        writer.submit(Size())
    opened.set()
    for future in (first, *waiting):
        with pytest.raises(errors.Unavailable):
            future.result(10)
    writer.close()
    with pytest.raises(errors.Unavailable, match="closed"):
        writer.submit(Size())


def test_close_commits_what_waits(url: str) -> None:
    database = Database(url)
    futures = [database.submit(executions.Insert(factory.execution(), True)) for _ in range(99)]
    database.close()
    assert all(future.result(0).created for future in futures)


def test_another_process_that_holds_the_database_is_waited_for(
    tmp_path: Path, sqlite_template: Path
) -> None:
    path = tmp_path / "funcflow.db"
    path.write_bytes(sqlite_template.read_bytes())
    holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    database = Database(f"sqlite:///{path}")
    future = database.submit(executions.Insert(factory.execution(), True))
    assert not future.done()
    holder.execute("COMMIT")
    assert future.result(10).created
    holder.close()
    database.close()


def test_a_bug_in_an_operation_does_not_stop_the_writer(database: Database) -> None:
    @dataclasses.dataclass(frozen=True, slots=True)
    class Buggy(group.Op[int]):
        @classmethod
        def apply(cls, batch: group.Batch, ops: Sequence[Buggy]) -> list[int]:
            raise AssertionError("a bug")

    with pytest.raises(AssertionError, match="a bug"):
        database.write(Buggy())
    assert database.write(Size()) == 1
