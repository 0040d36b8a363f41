"""The counts that prove nothing is lost."""

from __future__ import annotations

import random

import sqlalchemy as sa

from funcflow.db import composition_tables, executions, tables, tallies
from funcflow.db.engine import Database
from funcflow.states import State
from tests.unit.db import composition_factory, factory

NOW = 1000.0


def conservation(database: Database) -> tallies.Conservation:
    with database.read() as connection:
        return tallies.conservation(connection)


def test_an_empty_database_counts_nothing(database: Database) -> None:
    assert conservation(database) == tallies.Conservation(0, 0, 0, 0, 0, 0)


def test_queued_is_counted_per_project(database: Database, other: Database) -> None:
    factory.queued(database)
    factory.queued(other)
    factory.queued(database, project_id=factory.OTHER_PROJECT)
    factory.running(database)
    with database.read() as connection:
        assert tallies.queued(connection) == 3
        assert tallies.queued(connection, factory.PROJECT) == 2
        assert tallies.queued(connection, "nobody") == 0


def test_drift_is_seen(database: Database) -> None:
    factory.queued(database)
    lost = sa.delete(tables.executions)
    database.transact(lambda c: c.execute(lost))
    assert conservation(database).drift == 1
    database.transact(lambda c: c.execute(sa.update(tables.tallies).values(accepted=5)))
    assert conservation(database).drift == 5


def test_folding_changes_no_sum(database: Database, other: Database) -> None:
    for one in (database, other):
        factory.running(one, function_id="f")
        factory.queued(one, function_id="f")
    before = conservation(database)
    for _ in range(2):
        database.transact(lambda c: tallies.fold(c, database.writer))
    assert conservation(database) == before
    factory.queued(other, function_id="f")
    database.transact(lambda c: tallies.fold(c, database.writer))
    after = conservation(database)
    assert (after.accepted, after.queued, after.drift) == (5, 3, 0)
    with database.read() as connection:
        writers = connection.execute(sa.select(tables.tallies.c.writer)).scalars().all()
        counted = connection.execute(sa.select(sa.func.sum(tables.calls.c.count))).scalar()
    assert sorted(writers) == sorted(["", database.writer])
    assert counted == 5


def test_compositions_are_counted_apart(database: Database, other: Database) -> None:
    for one in (database, other):
        composition_factory.parked(one)
        composition_factory.held(one)
        composition_factory.dead(one)
    factory.queued(database)
    before = tallies.Conservation(6, 0, 2, 0, 2, 0, waiting=2)
    assert composition_factory.conservation(database) == before
    database.transact(lambda c: tallies.fold(c, database.writer))
    assert composition_factory.conservation(database) == before
    assert conservation(database).accepted == 1
    lost = sa.delete(composition_tables.composition_executions)
    database.transact(lambda c: c.execute(lost))
    assert composition_factory.conservation(database).drift == 6


def test_whatever_happens_nothing_drifts(database: Database, other: Database) -> None:
    """Random operations, many of them pointless, from many threads of two processes."""
    known = [factory.queued(database) for _ in range(10)]

    def act(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(15):
            target = chance.choice(known)
            mine = chance.choice((database, other))
            epoch, owner = chance.randrange(9), chance.choice("ab")
            state = chance.choice([State.SUCCEEDED, State.FAILED, State.LOST])
            insert = executions.Insert(factory.execution(idempotency_key=str(epoch)), True)
            op = chance.choice(
                [
                    insert,
                    executions.Start(target.id, epoch, owner, NOW),
                    executions.Start(target.id, epoch, owner, NOW, limit=3),
                    executions.Settle(id=target.id, epoch=epoch, owner=owner, state=state, now=NOW),
                    executions.Requeue(target.id, epoch, owner, NOW, "r", chance.random() < 0.5),
                    executions.Bury(id=target.id, reason="r", now=NOW),
                    executions.Bury(id=target.id, epoch=epoch, owner=owner, reason="r", now=NOW),
                    executions.Redrive(target.id, NOW, NOW),
                    executions.Cancel(chance.choice(known).id, NOW),
                    executions.Remove(target.id),
                    executions.Discard(target.id),
                ]
            )
            mine.write(op)
            if op is insert:
                known.append(insert.execution)

    answers = factory.at_once([lambda n=n: act(n) for n in range(24)], threads=12)
    assert answers == [None] * 24
    found = conservation(database)
    assert found.drift == 0
    assert found.accepted >= 10
    assert min(found.queued, found.running, found.settled, found.dead) >= 0
