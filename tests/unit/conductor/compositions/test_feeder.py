"""Executions of compositions get jobs, lose them and get others, and go, on real parts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from funcflow import conf as config
from funcflow import errors, models, plugins
from funcflow.compositions import signals
from funcflow.conductor.compositions import feeder
from funcflow.db import composition_executions as executions
from funcflow.db import compositions, schema
from funcflow.db.engine import Database
from funcflow.jobboards import base as board_base
from funcflow.states import CompositionState, State
from tests.unit.db import composition_factory as factory
from tests.unit.db import factory as function_factory
from tests.unit.db.composition_factory import NOW

KEPT, GRACE, WINDOW = 3600.0, 60.0, 3


@pytest.fixture
def conf(data_dir: Path) -> Any:
    return config.load(default={"data_dir": str(data_dir)})


@pytest.fixture
def database(conf: Any) -> Iterator[Database]:
    schema.upgrade(config.database_url(conf))
    made = Database(config.database_url(conf))
    yield made
    made.close()


@pytest.fixture
def board(conf: Any) -> Iterator[board_base.Board]:
    made = plugins.load("funcflow.jobboards", "embedded")(conf)
    made.start(board_base.Listener(), serve=True)
    made.join(board_base.Member("me"))
    yield made
    made.stop()


class Clock:
    """A wall clock that jumps as it is told."""

    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def one(board: board_base.Board, database: Database, clock: Clock) -> feeder.Feeder:
    return feeder.Feeder(board, database, clock, window=WINDOW, grace=GRACE, retention=KEPT)


def jobs(board: board_base.Board) -> set[str]:
    return {ticket.execution_id for ticket in board.waiting(range(board.shards))}


def on(board: board_base.Board, **fields: Any) -> dict[str, Any]:
    """Fields of an execution on the shard its job belongs on."""
    return {"shard": board.shard_of(fields.get("composition_id", "c")), **fields}


def test_what_is_due_gets_a_job(
    one: feeder.Feeder, board: board_base.Board, database: Database, clock: Clock
) -> None:
    waits = factory.parked(database, NOW + 10, **on(board))
    queued = factory.queued(database, posted=False, created_at=NOW, **on(board))
    told_only = factory.parked(database, **on(board))
    assert one.feed() == 1
    assert jobs(board) == {queued.id}
    clock.now = NOW + 3600  # somebody sets the clock
    assert one.feed() == 1
    assert jobs(board) == {queued.id, waits.id}
    assert {ticket.kind for ticket in board.waiting(range(board.shards))} == {"composition"}
    assert one.feed() == 0
    assert database.write(executions.Deliver(told_only.id, ("{}",), clock.now))
    assert one.feed() == 1
    assert told_only.id in jobs(board)


def test_a_shard_holds_no_more_than_its_window(
    one: feeder.Feeder, board: board_base.Board, database: Database
) -> None:
    made = [
        factory.queued(database, posted=False, created_at=NOW - n, **on(board)) for n in range(5)
    ]
    assert one.feed() == WINDOW
    assert jobs(board) == {row.id for row in made[2:]}, "oldest first"
    assert one.feed() == 0
    board.consume(board.claim(board.waiting(range(board.shards))))
    assert one.feed() == 2


def test_a_lost_job_is_posted_again(
    one: feeder.Feeder, board: board_base.Board, database: Database, clock: Clock
) -> None:
    lost = [factory.queued(database, updated_at=NOW, **on(board)), held(database, board)]
    factory.parked(database, NOW + 9999, **on(board))
    assert one.repost() == 0, "give them time"
    clock.now = NOW + GRACE + 1
    assert one.repost() == 2
    assert jobs(board) == {row.id for row in lost}
    assert one.repost() == 0


def held(database: Database, board: board_base.Board) -> models.CompositionExecution:
    return factory.held(database, **on(board))


def test_who_lost_its_parent_is_stopped(
    one: feeder.Feeder, board: board_base.Board, database: Database
) -> None:
    asked = {"parent_id": factory.settled(database, **on(board)).id, "parent_command": 1}
    waits = {"parent_id": factory.parked(database, **on(board)).id, "parent_command": 1}
    run, kept = (function_factory.running(database, **each) for each in (asked, waits))  # type: ignore[arg-type]
    child, other = (factory.parked(database, **on(board), **each) for each in (asked, waits))
    one.stop_strays()
    states = [function_factory.find(database, each.id) for each in (run, kept)]
    assert [each and each.state for each in states] == [State.CANCELLED, State.RUNNING]
    ((_, text),) = factory.inbox(database, child.id)
    assert isinstance(signals.load(json.loads(text)), signals.Stopped)
    assert factory.find(database, child.id).state is CompositionState.QUEUED
    assert factory.inbox(database, other.id) == []


def test_old_ones_go_however_long_their_logs(
    one: feeder.Feeder, board: board_base.Board, database: Database, clock: Clock
) -> None:
    made = factory.kept(database)
    fields = on(board, composition_id=made.id)
    long = [f'{{"n": {n}}}' for n in range(4000)]
    old = [factory.held(database, **fields) for _ in range(3)]
    end = executions.Settle(state=CompositionState.SUCCEEDED)
    for row in old:
        assert database.write(factory.append(row, *long, then=end))
    young = factory.settled(database, **on(board))
    database.transact(lambda c: compositions.delete(c, made.id, None, now=1.0))
    clock.now = NOW + KEPT - 1
    one.purge()
    assert factory.find(database, old[0].id)
    clock.now = NOW + KEPT + 1
    one.purge()
    with database.read() as connection:
        assert executions.among(connection, [row.id for row in (*old, young)]) == []
        with pytest.raises(errors.NotFound, match="no revision"):
            compositions.revision(connection, made.id, 1)
