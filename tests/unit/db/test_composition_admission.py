"""New executions of compositions, their jobs and their holders."""

from __future__ import annotations

import dataclasses

import pytest

from funcflow import models
from funcflow.db import composition_executions as executions
from funcflow.db import compositions
from funcflow.db.engine import Database
from funcflow.states import CompositionState
from tests.unit.db import composition_factory as factory
from tests.unit.db import factory as function_factory
from tests.unit.db.composition_factory import NOW, OWNER, append


def test_what_goes_in_comes_out(database: Database) -> None:
    made = factory.execution(
        input='{"a": "\\u0000"}',
        composition_version=3,
        composition_alias="live",
        type="EXPRESS",
        shard=5,
        parent_id="p",
        parent_command=1,
        map_state="M",
        map_index=0,
        map_run="run",
        depth=2,
        request_id="r",
        traceparent="t",
    )
    (inserted,) = database.write(executions.Insert((made,), False))
    assert inserted == executions.Inserted(made, True)
    found = factory.find(database, made.id)
    kept = dataclasses.replace(made, updated_at=made.created_at, wake_at=made.created_at)
    assert found == kept
    assert "5eed" not in repr(found), "who knows the seed can answer tasks"


def test_many_at_once_each_once(database: Database) -> None:
    made = tuple(factory.execution(created_at=NOW) for _ in range(40))
    op = executions.Insert(made, True)
    assert [each.created for each in database.write(op)] == [True] * 40
    again = database.write(op)
    assert [each.execution.id for each in again] == [each.id for each in made]
    assert all(each.created for each in again)
    more = (*made[:3], factory.execution())
    assert [each.execution.id for each in database.write(executions.Insert(more, True))] == [
        each.id for each in more
    ]
    assert factory.conservation(database).accepted == 41
    assert database.write(executions.Insert((), True)) == ()


def test_a_name_is_used_once_in_a_composition(database: Database) -> None:
    first = factory.queued(database, name="monday")
    second = factory.execution(name="monday")
    (answer,) = database.write(executions.Insert((second,), True))
    assert (answer.created, answer.execution.id) == (False, first.id)
    elsewhere = factory.queued(database, name="monday", composition_id="another")
    assert elsewhere.id != first.id
    with database.read() as connection:
        found = executions.by_name(connection, "another", elsewhere.project_id, "monday")
        assert found is not None
        assert found.id == elsewhere.id
        assert executions.by_name(connection, "another", elsewhere.project_id, "tuesday") is None
    assert factory.conservation(database).accepted == 2
    theirs = factory.queued(database, name="monday", project_id="that shares it", borrowed=True)
    assert theirs.id != first.id, "names are each project's own"


def test_of_many_with_a_name_one_is_made(database: Database, other: Database) -> None:
    ops = [executions.Insert((factory.execution(name="monday"),), True) for _ in range(12)]
    calls = [lambda n=n, op=op: (database, other)[n % 2].write(op) for n, op in enumerate(ops)]
    answers = function_factory.at_once(calls)
    inserted = [each for answer in answers for each in answer]  # type: ignore[union-attr]
    assert sum(each.created for each in inserted) == 1
    assert len({each.execution.id for each in inserted}) == 1


def test_only_what_is_open_can_begin() -> None:
    for state in (CompositionState.WAITING, CompositionState.FAILED, CompositionState.DEAD):
        with pytest.raises(ValueError, match="cannot begin"):
            executions.Insert((factory.execution(state=state),), True)


def test_starts_are_counted_children_of_maps_are_not(database: Database) -> None:
    made = factory.kept(database)
    factory.queued(database, composition_id=made.id)
    factory.queued(database, composition_id=made.id, map_state="M", parent_id="p")
    undone = factory.queued(database, composition_id=made.id)
    assert database.write(executions.Remove(undone.id))
    with database.read() as connection:
        assert compositions.get(connection, made.id).count == 1


def test_a_sync_start_is_held_from_the_beginning(database: Database) -> None:
    row = factory.execution(
        state=CompositionState.RUNNING, epoch=4, owner=OWNER, attempts=1, started_at=NOW
    )
    database.write(executions.Insert((row,), True))
    assert database.write(append(row, factory.SIGNAL))
    found = factory.conservation(database)
    assert (found.accepted, found.running, found.drift) == (1, 1, 0)


def test_starting_and_taking_over(database: Database) -> None:
    row = factory.queued(database)
    first = database.write(executions.Start(row.id, 5, "one", NOW))
    assert first is not None
    assert (first.state, first.epoch, first.owner) == (CompositionState.RUNNING, 5, "one")
    assert (first.attempts, first.started_at, first.wake_at) == (1, NOW, None)
    assert database.write(executions.Start(row.id, 5, "one", NOW)) == first, "again"
    assert database.write(executions.Start(row.id, 5, "two", NOW)) is None
    assert database.write(executions.Start(row.id, 4, "two", NOW)) is None
    second = database.write(executions.Start(row.id, 6, "two", NOW + 1))
    assert second is not None
    assert (second.attempts, second.epoch, second.started_at) == (2, 6, NOW)
    assert database.write(append(first, factory.SIGNAL)) is None, "fenced"
    assert database.write(append(second, factory.SIGNAL))
    assert factory.find(database, row.id).attempts == 0, "a step forward"


def test_what_cannot_be_started(database: Database) -> None:
    for row in (factory.parked(database), factory.settled(database), factory.dead(database)):
        assert database.write(executions.Start(row.id, 99, OWNER, NOW)) is None
    assert database.write(executions.Start("unknown", 99, OWNER, NOW)) is None


def test_waking(database: Database) -> None:
    due = factory.parked(database, wake_at=NOW)
    later = factory.parked(database, wake_at=NOW + 1)
    told_only = factory.parked(database)
    queued = factory.queued(database, posted=False, created_at=NOW)
    posted = factory.queued(database)
    held = factory.held(database)
    rows = [due, later, told_only, queued, posted, held]
    op = executions.Wake([row.id for row in rows], NOW)
    assert database.write(op) == {due.id, queued.id}
    assert database.write(op) == {due.id, queued.id}, "again, after an unknown outcome"
    assert database.write(executions.Wake(op.ids, NOW + 0.5)) == frozenset()
    with database.read() as connection:
        marked = executions.queued_among(connection, op.ids)
        assert {row.id for row in marked} == {due.id, queued.id, posted.id}
        assert executions.due(connection, NOW + 0.5, 9, [0]) == []
    database.write(executions.Unpost([due.id, held.id, later.id], NOW + 0.7))
    with database.read() as connection:
        assert executions.due(connection, NOW + 0.6, 9, [0]) == []
        assert [row.id for row in executions.due(connection, NOW + 0.7, 9, [0])] == [due.id]
    assert factory.conservation(database).drift == 0


def test_removing_undoes_the_insert(database: Database) -> None:
    row = factory.queued(database)
    assert database.write(executions.Deliver(row.id, ("{}",), NOW))
    assert database.write(executions.Remove(row.id))
    assert database.write(executions.Remove(row.id))
    assert factory.inbox(database, row.id) == []
    started = factory.held(database)
    assert not database.write(executions.Remove(started.id))
    back = executions.Requeue(
        id=started.id, epoch=1, owner=OWNER, not_before=NOW, reason="r", now=NOW
    )
    assert database.write(back)
    assert not database.write(executions.Remove(started.id)), "it has begun"
    found = factory.conservation(database)
    assert (found.accepted, found.drift) == (1, 0)


def test_a_large_insert_is_a_batch_of_its_own(database: Database) -> None:
    large = factory.execution(input='"' + "x" * 262_144 + '"')
    assert executions.Insert((large,), True).weight > 30
    assert executions.Insert((factory.execution(),) * 100, True).weight > 100
    small: models.CompositionExecution = factory.execution(
        epoch=1, owner=OWNER, state=CompositionState.RUNNING
    )
    assert append(small, factory.SIGNAL).weight == 1
