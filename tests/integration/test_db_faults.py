"""The database goes away while everybody writes: nothing is lost, nothing is done twice."""

from __future__ import annotations

import contextlib
import dataclasses
import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from funcflow import errors, models
from funcflow.db import composition_executions as compositions
from funcflow.db import executions, functions, lives, schema, tables, tallies
from funcflow.db.engine import Database
from funcflow.states import CompositionState, State
from tests import waiting
from tests.unit.db import composition_factory, factory
from tests.unit.db.composition_factory import NOW, append

THREADS = 12
ROUNDS = 40


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    schema.upgrade(postgres_url)
    # However slow the machine is: what is retried gets through between two kills.
    made = Database(postgres_url, patience=120.0)
    yield made
    made.close()


class Killer(threading.Thread):
    """Ends every connection to the database, at random moments, until told to stop."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url.replace("+psycopg", "")
        self.stopping = threading.Event()
        self.kills = 0

    def run(self) -> None:
        chance = random.Random(7)
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self.stopping.wait(chance.uniform(0.001, 0.15)):
                killed = connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                ).fetchall()
                self.kills += len(killed)


def invoke(database: Database, epoch: int) -> str:
    """An execution from its insert to its outcome, each step acknowledged."""
    made = factory.execution()
    assert database.write(executions.Insert(made, True)).created
    started = database.write(executions.Start(made.id, epoch, "o", time.time()))
    assert isinstance(started, models.Execution)
    assert started.attempts == 1, "counted once, however often it was tried"
    settle = executions.Settle(
        id=made.id, epoch=epoch, owner="o", state=State.SUCCEEDED,
        output="1", logs=(factory.log("x"),), now=time.time(),
    )  # fmt: skip
    assert database.write(settle)
    return made.id


def test_no_operation_is_lost_or_doubled_when_connections_die(
    database: Database, postgres_url: str
) -> None:
    killer = Killer(postgres_url)
    killer.start()
    try:
        answers = factory.at_once(
            [lambda n=n: invoke(database, n) for n in range(1, THREADS * ROUNDS)], THREADS
        )
    finally:
        killer.stopping.set()
        killer.join()
    assert killer.kills > 1, "it was there while all that happened"
    assert [answer for answer in answers if not isinstance(answer, str)] == []
    with database.read() as connection:
        assert executions.counts(connection) == {(factory.PROJECT, State.SUCCEEDED): len(answers)}
        found = tallies.conservation(connection)
        calls = connection.execute(sa.select(sa.func.sum(tables.calls.c.count))).scalar()
        logs = connection.execute(sa.select(sa.func.count()).select_from(tables.logs)).scalar()
    assert found == tallies.Conservation(len(answers), 0, 0, len(answers), 0, 0)
    assert calls == len(answers)
    assert logs == len(answers)


def compose(database: Database, epoch: int) -> tuple[str, list[str]]:
    """An execution of a composition, with a child, from its insert to its outcome."""
    parent, child = (composition_factory.execution(created_at=NOW) for _ in range(2))
    child = dataclasses.replace(child, parent_id=parent.id, parent_command=1)
    first, second = ('{"type": "Continued", "time": %d}' % n for n in (1, 2))  # noqa: UP031
    done = compositions.Settle(state=CompositionState.SUCCEEDED, output="1")
    made = database.write(compositions.Insert((parent, child), True))
    assert all(each.created for each in made)
    row = database.write(compositions.Start(parent.id, epoch, "o", NOW))
    assert row is not None
    assert row.attempts == 1, "counted once, however often it was tried"
    parked = database.write(append(row, first, then=compositions.Park(None)))
    assert parked is not None
    assert parked.parked
    held = database.write(compositions.Start(child.id, epoch, "o", NOW))
    assert held is not None
    assert database.write(append(held, first, second, then=done))
    woken = database.write(compositions.Wake([parent.id], time.time() + 9))
    assert woken == {parent.id}
    row = database.write(compositions.Start(parent.id, epoch + 1, "o", NOW))
    assert row is not None
    told = lives.ended("composition", child.id, 1)
    assert database.write(append(row, told, taken=1, then=done))
    return parent.id, [first, told]


def test_no_step_of_a_composition_is_lost_or_doubled_when_connections_die(
    database: Database, postgres_url: str
) -> None:
    killer = Killer(postgres_url)
    killer.start()
    try:
        answers = factory.at_once(
            [lambda n=n: compose(database, n) for n in range(1, THREADS * 6)], THREADS
        )
    finally:
        killer.stopping.set()
        killer.join()
    assert killer.kills > 1, "it was there while all that happened"
    for answer in answers:
        assert isinstance(answer, tuple), answer
        assert composition_factory.log(database, answer[0]) == answer[1]
        assert composition_factory.find(database, answer[0]).deliveries == 1, "told once"
    count = 2 * len(answers)
    found = composition_factory.conservation(database)
    assert found == tallies.Conservation(count, 0, 0, count, 0, 0)


def test_a_transaction_of_unknown_outcome_is_not_done_twice(
    database: Database, postgres_url: str
) -> None:
    """Functions have no key that would refuse a second one; the transaction's fate decides."""
    killer = Killer(postgres_url)
    killer.start()

    def create(number: int) -> models.Function:
        made = factory.function(name=f"f{number}")
        return database.transact(lambda c: functions.create(c, made))

    try:
        answers = factory.at_once([lambda n=n: create(n) for n in range(200)], THREADS)
    finally:
        killer.stopping.set()
        killer.join()
    assert killer.kills > 0
    assert [answer for answer in answers if not isinstance(answer, models.Function)] == []


def test_a_commit_whose_answer_got_lost_is_found_to_have_taken(
    database: Database, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server commits, the connection dies before the answer."""
    made = factory.kept_function(database)
    commit = sa.RootTransaction.commit
    lost: list[bool] = []

    def commit_and_lose(transaction: sa.RootTransaction) -> None:
        connection = transaction.connection
        commit(transaction)
        if not lost:
            lost.append(True)
            raw = connection.connection.dbapi_connection
            assert raw is not None
            raw.close()
            raise psycopg.OperationalError("the connection is lost")

    monkeypatch.setattr(sa.RootTransaction, "commit", commit_and_lose)
    after = database.transact(
        lambda c: functions.new_revision(c, made.id, None, made.revision, now=1.0)
    )
    assert lost
    assert after.revision.number == 2
    with database.read() as connection:
        assert functions.get(connection, made.id).revision.number == 2


def test_a_database_that_stays_away_is_unavailable_and_comes_back(
    postgres_server: object, postgres_url: str
) -> None:
    schema.upgrade(postgres_url)
    database = Database(postgres_url, patience=0.5)
    factory.queued(database)
    name = sa.make_url(postgres_url).database
    admin = sa.make_url(postgres_url).set(drivername="postgresql", database="postgres")
    with psycopg.connect(admin.render_as_string(False), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
        )
        with pytest.raises(errors.Unavailable) as caught:
            factory.queued(database)
        assert caught.value.retry_after
        with pytest.raises(errors.Unavailable):
            database.ping()
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    made = factory.queued(database)

    def found() -> bool:
        try:
            return factory.find(database, made.id) is not None
        except errors.Unavailable:
            return False

    waiting.until(found, what="a reader's new connection")
    database.close()


def test_a_full_disk_loses_nothing_and_is_survived(tmp_path: Path) -> None:
    """SQLite's own limit of pages stands for the disk's."""
    url = f"sqlite:///{tmp_path}/funcflow.db"
    schema.upgrade(url)
    limit = {"pages": 0}

    def on_connect(connection: sqlite3.Connection, record: object) -> None:
        connection.execute(f"PRAGMA max_page_count={limit['pages'] or 2**30}").close()

    with contextlib.closing(sqlite3.connect(tmp_path / "funcflow.db")) as connection:
        [empty] = connection.execute("PRAGMA page_count").fetchone()
    limit["pages"] = empty + 40
    database = Database(url, patience=0.3)
    sa.event.listen(database._writers, "connect", on_connect)
    kept = 0

    def fill() -> None:
        nonlocal kept
        while kept < 1000:
            factory.queued(database, input="x" * 4000)
            kept += 1

    with pytest.raises(errors.Unavailable):
        fill()
    assert kept
    limit["pages"] = 0
    factory.queued(database, input="x" * 4000)
    with database.read() as connection:
        assert sum(executions.counts(connection).values()) == kept + 1
        assert tallies.conservation(connection).drift == 0
    database.close()
