"""Firings on both databases: those that were given up are dead letters, and outlive the others."""

from __future__ import annotations

import itertools

from funcflow import ids
from funcflow.db import dead_letters, firings, listing, triggers
from funcflow.db.engine import Database
from funcflow.events import Firing, SourceOf, Target, Trigger
from tests.unit.db import factory

#: Seconds; ids of one and the same millisecond have no order.
_SECONDS = itertools.count(1)


def trigger(database: Database) -> str:
    made = Trigger(
        id=ids.new(), project_id=factory.PROJECT, source=SourceOf("cloudevent", {}), slot=0,
        target=Target(kind="function", id="f"), created_at=100.0,
    )  # fmt: skip
    return database.transact(lambda connection: triggers.create(connection, made, -1)).id


def keep(database: Database, trigger_id: str, outcome: str, at: float = 100.0) -> str:
    made = Firing(
        id=ids.derived(next(_SECONDS), outcome), key=ids.new(), trigger_id=trigger_id,
        project_id=factory.PROJECT, event_id="e", event_source="/s", event_type="t",
        outcome=outcome,  # type: ignore[arg-type]
        event='{"id": "e"}', reason="not_found: it is gone", created_at=at, updated_at=at,
    )  # fmt: skip
    database.write(firings.Record(made))
    return made.id


def dead(database: Database, **filters: str) -> list[str]:
    query = listing.Query(project_id=factory.PROJECT, filters=filters)
    with database.read() as connection:
        return [row.id for row in dead_letters.list_(connection, query)]


def test_dead_ones_are_listed_beside_executions(database: Database) -> None:
    one = trigger(database)
    keep(database, one, "fired")
    execution = factory.dead(database).id
    firing = keep(database, one, "dead")
    assert dead(database) == sorted([execution, firing])
    assert dead(database, kind="firing") == dead(database, trigger_id=one) == [firing]
    assert dead(database, function_id="no such") == []
    assert dead(database, created_at="lt:101", kind="firing") == [firing]


def test_they_outlive_the_others_as_long_as_their_trigger(database: Database) -> None:
    one = trigger(database)
    fired, firing = keep(database, one, "fired"), keep(database, one, "dead")
    assert database.transact(lambda c: firings.purge(c, 200.0, 10)) == 1
    with database.read() as connection:
        assert [row.id for row in firings.among(connection, [fired, firing])] == [firing]
    database.transact(lambda c: triggers.delete(c, one))
    assert database.transact(lambda c: firings.purge(c, 200.0, 10)) == 1
    assert dead(database) == []


def test_of_one_trigger_there_are_not_too_many(database: Database) -> None:
    one, other = trigger(database), trigger(database)
    kept = [keep(database, one, "dead") for _ in range(3)]
    keep(database, one, "fired")
    fired = [keep(database, one, "fired") for _ in range(2)]
    theirs = keep(database, other, "dead")
    database.transact(lambda c: firings.trim(c, one, 2, 200.0))
    assert dead(database) == [*kept[1:], theirs]
    with database.read() as connection:
        left = firings.list_(connection, one, listing.Query(project_id=None))
    assert [row.id for row in left] == [*kept[1:], *fired]


def test_only_dead_ones_are_discarded(database: Database) -> None:
    one = trigger(database)
    fired, firing = keep(database, one, "fired"), keep(database, one, "dead")
    assert not database.write(firings.Discard(fired))
    assert database.write(firings.Discard(firing))
    assert not database.write(firings.Discard(firing))
    assert dead(database) == []
