"""Executions of compositions go with all that belongs to them."""

from __future__ import annotations

import sqlalchemy as sa

from funcflow import references
from funcflow.db import approvals, composition_retention
from funcflow.db import composition_executions as executions
from funcflow.db.engine import Database
from funcflow.states import CompositionState
from tests.unit.db import composition_factory as factory
from tests.unit.db.composition_factory import NOW, SIGNAL, append

TABLES = (
    "composition_signals",
    "composition_inbox",
    "composition_heartbeats",
    "composition_payloads",
    "approvals",
)


def left(database: Database) -> list[int]:
    with database.read() as connection:
        return [
            connection.execute(sa.text(f"SELECT COUNT(*) FROM {table}")).scalar_one()
            for table in TABLES
        ]


def ended(database: Database, at: float, *signals: str) -> str:
    """One that left something everywhere."""
    row = factory.held(database, input=references.to("a" * 64))
    assert database.write(executions.Deliver(row.id, (SIGNAL,), NOW))
    assert database.write(executions.Heartbeat(row.id, 1, NOW))
    asked = approvals.Asked(
        execution_id=row.id,
        command=1,
        project_id=row.project_id,
        composition_id=row.composition_id,
        kind="approval",
        name="Ask",
        message="May I?",
        token="t",
        asked_at=NOW,
    )
    database.write(approvals.Ask((asked,)))
    then = executions.Settle(state=CompositionState.SUCCEEDED)
    assert database.write(append(row, *(signals or (SIGNAL,)), then=then, now=at))
    return row.id


def test_what_is_old_goes_with_all_that_belongs_to_it(database: Database) -> None:
    old = [ended(database, NOW + n) for n in range(3)]
    young = ended(database, NOW + 9)
    others = [factory.held(database), factory.parked(database), factory.dead(database)]
    assert left(database) == [5, 4, 4, 4, 4]
    assert database.write(executions.PurgeSettled(NOW + 5, 2)) == 2
    with database.read() as connection:
        assert executions.find(connection, old[0]) is None
        assert executions.find(connection, old[2]) is not None
    assert database.write(executions.PurgeSettled(NOW + 5, 2)) == 1
    assert database.write(executions.PurgeSettled(NOW + 5, 2)) == 0
    assert left(database) == [2, 1, 1, 1, 1]
    with database.read() as connection:
        assert executions.find(connection, young) is not None
        assert all(executions.find(connection, row.id) for row in others)
    found = factory.conservation(database)
    assert (found.accepted, found.settled, found.drift) == (7, 4, 0)


def test_long_logs_go_a_few_at_a_time(database: Database) -> None:
    most = composition_retention._SIGNALS
    for n in range(3):
        ended(database, NOW + n, *[SIGNAL] * (most * 2 // 3))
    ended(database, NOW + 3)
    purge = executions.PurgeSettled(NOW + 9, 500)
    assert [database.write(purge) for _ in range(4)] == [1, 1, 2, 0]
    assert left(database) == [0, 0, 0, 0, 0]


def test_discarding(database: Database) -> None:
    done, dead = ended(database, NOW), factory.dead(database).id
    for keep in (factory.held(database), factory.parked(database), factory.queued(database)):
        assert not database.write(executions.Discard(keep.id))
    assert database.write(executions.Discard(done))
    assert database.write(executions.Discard(done))
    assert database.write(executions.Discard(dead))
    assert left(database)[1:] == [0, 0, 0, 0]
    found = factory.conservation(database)
    assert (found.accepted, found.settled, found.dead, found.drift) == (5, 2, 0, 0)
