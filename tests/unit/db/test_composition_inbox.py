"""What executions are told: nothing is lost, whoever parks, ends or takes over meanwhile."""

from __future__ import annotations

import dataclasses
import json
import random
import threading

import pytest

from funcflow import models
from funcflow.db import composition_executions as executions
from funcflow.db import executions as functions
from funcflow.db.engine import Database
from funcflow.states import CompositionState, State
from tests import waiting
from tests.unit.db import composition_factory as factory
from tests.unit.db import factory as function_factory
from tests.unit.db.composition_factory import NOW, OWNER, append

ONE, TWO = '{"n": 1}', '{"n": 2}'


def test_entries_are_numbered_in_order(database: Database) -> None:
    row = factory.queued(database)
    queued, held = CompositionState.QUEUED, CompositionState.RUNNING
    answer = database.write(executions.Deliver(row.id, (ONE, TWO), NOW))
    assert answer == executions.Delivered(queued, None, 2)
    assert database.write(executions.Start(row.id, 1, OWNER, NOW))
    answer = database.write(executions.Deliver(row.id, (ONE,), NOW))
    assert answer == executions.Delivered(held, OWNER, 3)
    assert factory.inbox(database, row.id) == [(1, ONE), (2, TWO), (3, ONE)]
    with database.read() as connection:
        assert executions.told(connection, OWNER) == [row.id]
        assert executions.told(connection, "somebody else") == []


def test_who_waits_is_woken(database: Database) -> None:
    row = factory.parked(database)
    answer = database.write(executions.Deliver(row.id, (ONE,), NOW + 5))
    assert answer == executions.Delivered(CompositionState.QUEUED, None, 1)
    with database.read() as connection:
        assert executions.due(connection, NOW + 4, 9, [0]) == []
        assert [each.id for each in executions.due(connection, NOW + 5, 9, [0])] == [row.id]
    assert factory.conservation(database).drift == 0


def test_who_is_over_hears_nothing(database: Database) -> None:
    for row_id in (factory.settled(database).id, factory.dead(database).id, "unknown"):
        assert database.write(executions.Deliver(row_id, (ONE,), NOW)) is None
        assert factory.inbox(database, row_id) == []


def test_many_deliveries_at_once(database: Database) -> None:
    rows = [factory.queued(database), factory.parked(database), factory.held(database)]
    ops = [executions.Deliver(row.id, (f"{row.id} {n}",), NOW) for n in range(30) for row in rows]
    answers = [future.result(10) for future in [database.submit(op) for op in ops]]
    assert all(answers)
    for row in rows:
        assert factory.inbox(database, row.id) == [(n + 1, f"{row.id} {n}") for n in range(30)]


@pytest.mark.parametrize("end", ["settled", "lost", "cancelled", "buried"])
@pytest.mark.parametrize("waits", [True, False])
def test_the_end_of_a_function_is_told_to_who_asked(
    database: Database, end: str, waits: bool
) -> None:
    parent = factory.parked(database) if waits else factory.held(database)
    asked = {"parent_id": parent.id, "parent_command": 3}
    run = function_factory.running(database, **asked)
    ops = {
        "settled": function_factory.settle(run),
        "lost": function_factory.settle(run, state=State.LOST),
        "cancelled": functions.Cancel(run.id, NOW),
        "buried": functions.Bury(id=run.id, epoch=1, owner=OWNER, reason="r", now=NOW),
    }
    assert database.write(ops[end])
    assert database.write(ops[end]), "again, after an unknown outcome"
    ((number, text),) = factory.inbox(database, parent.id)
    told = {"type": "Ended", "id": 3, "execution_id": run.id, "kind": "function"}
    assert (number, json.loads(text)) == (1, told)
    expected = CompositionState.QUEUED if waits else CompositionState.RUNNING
    assert factory.find(database, parent.id).state is expected
    found = function_factory.find(database, run.id)
    assert found is not None
    assert (found.parent_id, found.parent_command) == (parent.id, 3)


def test_a_parent_that_is_over_or_gone_hears_nothing(database: Database) -> None:
    for parent_id in (factory.settled(database).id, "gone"):
        run = function_factory.running(database, parent_id=parent_id, parent_command=1)
        assert database.write(function_factory.settle(run))
        assert factory.inbox(database, parent_id) == []


def test_a_dead_parent_is_told(database: Database) -> None:
    """It may be redriven, and needs the answer then."""
    parent = factory.held(database)
    run = function_factory.running(database, parent_id=parent.id, parent_command=1)
    bury = executions.Bury(id=parent.id, epoch=1, owner=OWNER, reason="attempts", now=NOW)
    assert database.write(bury)
    assert database.write(function_factory.settle(run))
    assert factory.find(database, parent.id).state is CompositionState.DEAD
    assert database.write(executions.Redrive(parent.id, NOW))
    assert [number for number, _ in factory.inbox(database, parent.id)] == [1]


def test_a_requeued_function_has_not_ended(database: Database) -> None:
    parent = factory.parked(database)
    run = function_factory.running(database, parent_id=parent.id, parent_command=1)
    assert database.write(functions.Requeue(run.id, 1, OWNER, NOW, "sandbox_lost"))
    assert factory.inbox(database, parent.id) == []


def test_heartbeats(database: Database) -> None:
    row = factory.parked(database)
    assert database.write(executions.Heartbeat(row.id, 3, NOW))
    assert database.write(executions.Heartbeat(row.id, 3, NOW + 1))
    assert database.write(executions.Heartbeat(row.id, 4, NOW))
    assert not database.write(executions.Heartbeat(factory.settled(database).id, 3, NOW))
    assert not database.write(executions.Heartbeat("unknown", 3, NOW))
    with database.read() as connection:
        assert executions.heartbeats(connection, row.id) == {3: NOW + 1, 4: NOW}
    futures = [database.submit(executions.Heartbeat(row.id, 5, NOW + n)) for n in range(9)]
    assert all(future.result(10) for future in futures)
    with database.read() as connection:
        assert executions.heartbeats(connection, row.id)[5] == NOW + 8


def test_deliveries_race_with_parking(database: Database, other: Database) -> None:
    """One process holds, parks and takes up again; another one tells. Nobody sleeps on unread
    entries, and each is read once."""
    row = factory.held(database)
    count = 150
    slept = threading.Event()

    def tell() -> None:
        for n in range(count):
            if n == count // 2:
                assert slept.wait(30)
            assert other.write(executions.Deliver(row.id, (json.dumps(n),), NOW)) is not None

    def hold() -> list[str]:
        mine, read, chance = row, [], random.Random(1)
        while len(read) < count:
            with database.read() as connection:
                entries = executions.inbox(connection, mine.id)
            new = tuple(entry.text for entry in entries)
            then = executions.Park(None) if chance.random() < 0.8 else executions.Stay()
            answer = database.write(append(mine, *new, taken=len(new), then=then))
            assert answer is not None
            read += new
            mine = dataclasses.replace(
                mine, sequence=mine.sequence + len(new), consumed=mine.consumed + len(new)
            )
            if answer.parked:
                slept.set()
                if len(read) < count:
                    mine = wake(mine)
        return read

    def wake(mine: models.CompositionExecution) -> models.CompositionExecution:
        """As the feed does: only what is queued is taken up again."""
        waiting.until(due, what="somebody to wake it")
        assert database.write(executions.Wake([mine.id], NOW)) == {mine.id}
        started = database.write(executions.Start(mine.id, mine.epoch + 1, OWNER, NOW))
        assert started is not None
        return started

    def due() -> list[models.CompositionExecution]:
        with database.read() as connection:
            return executions.due(connection, NOW, 1, [0])

    answers = function_factory.at_once([tell, hold], threads=2)  # type: ignore[list-item]
    assert answers == [None, [json.dumps(n) for n in range(count)]]
    assert factory.conservation(database).drift == 0


def test_processes_that_tell_each_other_do_not_stand_still(
    database: Database, other: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """Both change rows that the other holds: parents of what they end, in any order."""
    families = []
    for n in range(12):
        mine, theirs = (database, other) if n % 2 else (other, database)
        parent = factory.held(mine)
        children = [factory.held(theirs, parent_id=parent.id, parent_command=k) for k in range(6)]
        families.append((mine, theirs, parent, children))

    def play(at: Database) -> int:
        futures = []
        for round_ in range(6):
            for mine, theirs, parent, children in families:
                if theirs is at:
                    end = executions.Settle(state=CompositionState.SUCCEEDED, output="1")
                    futures.append(at.submit(append(children[round_], ONE, then=end)))
                if mine is at:
                    grown = dataclasses.replace(parent, sequence=round_)
                    futures.append(at.submit(append(grown, ONE)))
        answers = [future.result(30) for future in futures]
        return sum(answer is None for answer in answers)

    calls = [lambda: play(database), lambda: play(other)]
    assert function_factory.at_once(calls, threads=2) == [0, 0]
    assert "deadlock" not in caplog.text
    for _, _, parent, _ in families:
        assert len(factory.inbox(database, parent.id)) == 6
        assert factory.find(database, parent.id).sequence == 6
    assert factory.conservation(database).drift == 0
