"""How executions go for good."""

from __future__ import annotations

from funcflow import models
from funcflow.db import executions, tallies
from funcflow.db.engine import Database
from tests.unit.db import factory

OWNER = factory.OWNER
NOW = factory.NOW


def test_discard_only_what_is_over(database: Database) -> None:
    run = factory.running(database)
    over, dead = factory.running(database), factory.dead(database)
    logs = (models.LogChunk("stdout", "x", NOW, 0),)
    assert database.write(factory.settle(over, logs=logs))
    assert not database.write(executions.Discard(run.id))
    assert database.write(executions.Discard(over.id))
    assert database.write(executions.Discard(dead.id))
    with database.read() as connection:
        assert executions.logs(connection, over.id) == []
        assert tallies.conservation(connection) == tallies.Conservation(3, 0, 1, 2, 0, 0)


def test_purge_takes_the_oldest_settled(database: Database) -> None:
    runs = [factory.running(database) for _ in range(4)]
    for place, run in enumerate(runs[:3]):
        logs = (models.LogChunk("stdout", "x", NOW, 0),)
        assert database.write(factory.settle(run, now=NOW + place, logs=logs))
    assert database.write(executions.PurgeSettled(NOW + 2, 1)) == 1
    assert factory.find(database, runs[0].id) is None
    assert database.write(executions.PurgeSettled(NOW + 2, 9)) == 1
    assert factory.find(database, runs[2].id) is not None
    with database.read() as connection:
        assert executions.logs(connection, runs[0].id) == []
        assert tallies.conservation(connection) == tallies.Conservation(4, 0, 1, 3, 0, 0)
