"""Appends: the log, the inbox and the row go on together, or not at all."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
import sqlalchemy as sa

from funcflow import errors, ids, models, references
from funcflow.db import composition_executions as executions
from funcflow.db import executions as functions
from funcflow.db import listing, tallies
from funcflow.db.engine import Database
from funcflow.states import CompositionState, State
from tests.unit.db import composition_factory as factory
from tests.unit.db import factory as function_factory
from tests.unit.db.composition_factory import NOW, OWNER, append

ONE, TWO, THREE = (json.dumps({"type": "TimerFired", "id": n}) for n in (1, 2, 3))
DONE = executions.Settle(state=CompositionState.SUCCEEDED, output='{"a": 1}')


def test_the_log_grows(database: Database) -> None:
    row = factory.held(database)
    assert database.write(append(row, ONE, TWO)) == executions.Appended(False, 0)
    row = factory.find(database, row.id)
    assert (row.state, row.sequence, row.updated_at) == (CompositionState.RUNNING, 2, NOW)
    assert database.write(append(row, THREE, paused=True, redrives=2))
    row = factory.find(database, row.id)
    assert (row.sequence, row.paused, row.redrives) == (3, True, 2)
    with database.read() as connection:
        assert executions.signals(connection, row.id) == [ONE, TWO, THREE]
        assert executions.signals(connection, row.id, after=1) == [TWO, THREE]
        assert executions.signals(connection, row.id, after=1, limit=1) == [TWO]


@pytest.mark.parametrize(
    "wrong",
    [
        {"epoch": 2},
        {"epoch": 0},
        {"owner": "another"},
        {"first": 1},
        {"first": 3},
        {"consumed": 1},
        {"consumed": 1, "taken": 2},
        {"consumed": 2, "taken": 2},
        {"id": "unknown"},
    ],
)
@pytest.mark.parametrize("then", [executions.Stay(), executions.Park(9.0), DONE])
def test_what_does_not_fit_changes_nothing(
    database: Database, wrong: dict[str, Any], then: Any
) -> None:
    row = factory.held(database)
    assert database.write(append(row, ONE))
    assert database.write(executions.Deliver(row.id, (TWO,), NOW))
    before = factory.find(database, row.id)
    assert database.write(append(before, THREE, then=then, **wrong)) is None
    assert factory.find(database, row.id) == before
    assert factory.log(database, row.id) == [ONE]
    assert factory.inbox(database, row.id) == [(1, TWO)]
    assert factory.conservation(database).drift == 0


def test_entries_are_taken_with_the_signals_they_became(database: Database) -> None:
    row = factory.held(database)
    assert database.write(executions.Deliver(row.id, (ONE, TWO, THREE), NOW))
    answer = database.write(append(row, ONE, TWO, taken=2))
    assert answer == executions.Appended(False, 3)
    row = factory.find(database, row.id)
    assert (row.deliveries, row.consumed) == (3, 2)
    assert factory.inbox(database, row.id) == [(3, THREE)]
    # One that means nothing is taken without a signal.
    assert database.write(append(row, taken=1)) == executions.Appended(False, 3)
    assert factory.inbox(database, row.id) == []
    assert factory.log(database, row.id) == [ONE, TWO]


def test_the_same_append_again_answers_the_same(database: Database) -> None:
    row = factory.held(database)
    assert database.write(executions.Deliver(row.id, (ONE,), NOW))
    thens: list[Any] = [executions.Stay(), executions.Park(NOW), DONE]
    for epoch, then in enumerate(thens, 2):
        op = append(row, ONE, taken=1 if row.deliveries > row.consumed else 0, then=then)
        answers = [database.write(op), database.write(op)]
        assert answers[0] is not None
        assert answers[0] == answers[1]
        row = factory.find(database, row.id)
        assert factory.conservation(database).drift == 0
        if row.state is CompositionState.WAITING:
            assert database.write(executions.Wake([row.id], NOW)) == {row.id}
            assert database.write(op) == answers[0], "woken meanwhile"
            started = database.write(executions.Start(row.id, epoch, OWNER, NOW))
            assert started is not None
            assert database.write(op) is None, "and held again"
            row = started
    assert factory.log(database, row.id) == [ONE] * 3
    found = factory.conservation(database)
    assert (found.accepted, found.settled) == (1, 1)


def test_another_append_to_the_same_place_is_not_the_same(database: Database) -> None:
    row = factory.held(database)
    assert database.write(append(row, ONE))
    assert database.write(append(row, TWO)) is None
    assert factory.log(database, row.id) == [ONE]


def test_parking(database: Database) -> None:
    row = factory.held(database)
    answer = database.write(append(row, ONE, then=executions.Park(NOW + 60)))
    assert answer == executions.Appended(True, 0)
    row = factory.find(database, row.id)
    assert (row.state, row.wake_at, row.owner) == (CompositionState.WAITING, NOW + 60, None)
    assert row.attempts == 0
    assert factory.conservation(database).waiting == 1
    assert database.write(append(row, TWO, owner=OWNER)) is None, "nobody holds it"


def test_who_was_told_something_does_not_park(database: Database) -> None:
    row = factory.held(database)
    assert database.write(executions.Deliver(row.id, (ONE,), NOW))
    answer = database.write(append(row, TWO, then=executions.Park(None)))
    assert answer == executions.Appended(False, 1)
    row = factory.find(database, row.id)
    assert (row.state, row.owner, row.sequence) == (CompositionState.RUNNING, OWNER, 1)
    assert database.write(append(row, ONE, taken=1, then=executions.Park(None)))
    assert factory.find(database, row.id).state is CompositionState.WAITING


@pytest.mark.parametrize(
    "state",
    [
        CompositionState.SUCCEEDED,
        CompositionState.FAILED,
        CompositionState.TIMED_OUT,
        CompositionState.ABORTED,
    ],
)
def test_the_end(database: Database, state: CompositionState) -> None:
    row = factory.held(database)
    then = executions.Settle(state=state, output="1", error="E\0", cause="C \ud800")
    assert database.write(append(row, ONE, then=then)) == executions.Appended(False, 0)
    row = factory.find(database, row.id)
    assert (row.state, row.output, row.finished_at) == (state, "1", NOW)
    assert (row.error, row.cause) == ("E\ufffd", "C ?")
    assert database.write(append(row, TWO)) is None
    assert database.write(executions.Deliver(row.id, (TWO,), NOW)) is None
    found = factory.conservation(database)
    assert (found.settled, found.drift) == (1, 0)


def test_only_an_end_can_be_settled() -> None:
    for state in (CompositionState.WAITING, CompositionState.DEAD):
        with pytest.raises(ValueError, match="no outcome"):
            executions.Settle(state=state)


@pytest.mark.parametrize("end", ["succeeded", "failed"])
def test_the_end_of_a_child_is_told_to_its_parent(database: Database, end: str) -> None:
    parent = factory.parked(database)
    child = factory.held(database, parent_id=parent.id, parent_command=7)
    op = append(child, ONE, then=executions.Settle(state=CompositionState(end)))
    assert database.write(op)
    assert database.write(op)
    told = {"type": "Ended", "id": 7, "execution_id": child.id, "kind": "composition"}
    ((number, text),) = factory.inbox(database, parent.id)
    assert (number, json.loads(text)) == (1, told)
    parent = factory.find(database, parent.id)
    assert (parent.state, parent.deliveries) == (CompositionState.QUEUED, 1)
    assert factory.conservation(database).drift == 0


def test_parent_and_children_in_one_batch(database: Database) -> None:
    parent = factory.held(database)
    children = [factory.held(database, parent_id=parent.id, parent_command=n) for n in range(9)]
    ops = [append(child, ONE, then=DONE) for child in children]
    ops.append(append(parent, ONE, then=executions.Park(None)))
    answers = [future.result(10) for future in [database.submit(op) for op in ops]]
    assert all(answers)
    commands = {json.loads(text)["id"] for _, text in factory.inbox(database, parent.id)}
    assert commands == set(range(9))
    parent = factory.find(database, parent.id)
    assert parent.deliveries == 9
    # Parked and woken, or not parked: never parked with something unread.
    assert parent.state in (CompositionState.QUEUED, CompositionState.RUNNING)


def test_functions_that_ran_on_the_way_are_seen_as_executions(database: Database) -> None:
    row = factory.held(database)
    record = dataclasses.replace(
        function_factory.execution(parent_id=row.id, parent_command=3, function_version=2),
        state=State.SUCCEEDED,
        output="1",
        finished_at=NOW,
        usage=models.Usage(run=0.5),
    )
    chunk = models.LogChunk("stdout", "hello", NOW)
    op = append(row, ONE, records=(record,), logs=((record.id, (chunk,)),))
    assert database.write(op)
    assert database.write(op)
    with database.read() as connection:
        found = functions.get(connection, record.id)
        assert functions.logs(connection, record.id) == [chunk]
        query = listing.Query(project_id=factory.PROJECT)
        assert [each.id for each in functions.list_(connection, query)] == [record.id]
        counted = tallies.conservation(connection)
    assert (found.parent_id, found.parent_command, found.usage.run) == (row.id, 3, 0.5)
    assert (counted.accepted, counted.settled, counted.drift) == (1, 1, 0)
    assert factory.inbox(database, row.id) == [], "its result is in the log"


def test_express_keeps_no_log(database: Database) -> None:
    row = factory.held(database, type="EXPRESS")
    op = append(row, then=DONE)
    assert [database.write(op), database.write(op)] == [executions.Appended(False, 0)] * 2
    row = factory.find(database, row.id)
    assert (row.state, row.sequence) == (CompositionState.SUCCEEDED, 0)
    assert factory.log(database, row.id) == []


def test_a_bad_text_harms_nobody_else(database: Database) -> None:
    rows = [factory.held(database) for _ in range(4)]
    texts = [ONE, "\ud800", ONE, ONE]
    futures = [database.submit(append(*pair)) for pair in zip(rows, texts, strict=True)]
    with pytest.raises(errors.BadRequest):
        futures[1].result(10)
    assert all(futures[n].result(10) for n in (0, 2, 3))
    assert [factory.find(database, row.id).sequence for row in rows] == [1, 0, 1, 1]


def test_stored_texts_are_noted(database: Database) -> None:
    digests = [letter * 64 for letter in "abcd"]
    row = factory.held(database, input=references.to(digests[0]))
    assert database.write(executions.Deliver(row.id, (references.to(digests[1]),), NOW))
    then = executions.Settle(state=CompositionState.SUCCEEDED, output=references.to(digests[2]))
    signals = (ONE, references.to(digests[3]), references.to(digests[1]))
    assert database.write(append(row, *signals, taken=1, then=then))
    assert factory.log(database, row.id) == list(signals)
    assert kept_digests(database) == digests


def kept_digests(database: Database) -> list[str]:
    with database.read() as connection:
        found = connection.execute(sa.text("SELECT digest FROM composition_payloads"))
        return sorted(found.scalars())


def test_many_holders_at_once(database: Database) -> None:
    """Each log is whole and in order, whatever shares a batch."""
    rows = [factory.held(database) for _ in range(20)]

    def run(row: models.CompositionExecution) -> list[str]:
        wrote = []
        for n in range(8):
            wrote.append(json.dumps({"id": ids.new(), "n": n}))
            assert database.write(append(row, wrote[-1]))
            row = dataclasses.replace(row, sequence=row.sequence + 1)
        return wrote

    logs = function_factory.at_once([lambda row=row: run(row) for row in rows], threads=20)
    assert [factory.log(database, row.id) for row in rows] == logs
