"""What becomes of executions: given back, dead, redriven; and that the table is kept."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
import sqlalchemy as sa

from funcflow import errors, models, states
from funcflow.db import composition_executions as executions
from funcflow.db import composition_moves as moves
from funcflow.db import composition_rows as rows
from funcflow.db import composition_tables as tables
from funcflow.db import executions as functions
from funcflow.db import lives
from funcflow.db.engine import Database
from funcflow.states import CompositionState as State
from tests.unit.db import composition_factory as factory
from tests.unit.db import factory as function_factory
from tests.unit.db.composition_factory import NOW, OWNER, SIGNAL, append


def requeue(row: models.CompositionExecution, **fields: Any) -> executions.Requeue:
    defaults: dict[str, Any] = {
        "id": row.id,
        "epoch": row.epoch,
        "owner": row.owner or OWNER,
        "not_before": NOW + 9,
        "reason": "no_progress",
        "now": NOW,
    }
    return executions.Requeue(**(defaults | fields))


def test_giving_back(database: Database) -> None:
    row = factory.held(database)
    assert not database.write(requeue(row, epoch=2))
    assert not database.write(requeue(row, owner="another"))
    assert database.write(requeue(row))
    assert database.write(requeue(row)), "again"
    row = factory.find(database, row.id)
    assert (row.state, row.reason, row.wake_at) == (State.QUEUED, "no_progress", NOW + 9)
    assert (row.attempts, row.owner) == (1, None)
    with database.read() as connection:
        assert executions.due(connection, NOW + 8, 9, [0]) == []
        assert [each.id for each in executions.due(connection, NOW + 9, 9, [0])] == [row.id]


@pytest.mark.parametrize("stepped", [True, False])
def test_an_attempt_may_be_given_back(database: Database, stepped: bool) -> None:
    row = factory.held(database)
    if stepped:
        assert database.write(append(row, SIGNAL))
    assert database.write(requeue(row, count_attempt=False))
    assert factory.find(database, row.id).attempts == 0


def test_burying(database: Database) -> None:
    parent = factory.parked(database)
    row = factory.held(database, parent_id=parent.id, parent_command=2)
    wrong = executions.Bury(id=row.id, epoch=9, owner=OWNER, reason="attempts", now=NOW)
    assert not database.write(wrong)
    assert not database.write(executions.Bury(id=row.id, reason="poison", now=NOW))
    bury = executions.Bury(id=row.id, epoch=1, owner=OWNER, reason="attempts", now=NOW)
    assert database.write(bury)
    assert database.write(bury)
    assert factory.find(database, row.id).state is State.DEAD
    ((_, text),) = factory.inbox(database, parent.id)
    assert json.loads(text)["execution_id"] == row.id
    queued = factory.queued(database)
    assert database.write(executions.Bury(id=queued.id, reason="poison", now=NOW))
    found = factory.conservation(database)
    assert (found.dead, found.drift) == (2, 0)


@pytest.mark.parametrize("state", [State.FAILED, State.TIMED_OUT, State.ABORTED])
def test_what_ended_badly_is_redriven(database: Database, state: State) -> None:
    row = factory.settled(database, state)
    redrive = executions.Redrive(row.id, NOW + 1)
    assert database.write(redrive)
    assert database.write(redrive)
    row = factory.find(database, row.id)
    assert (row.state, row.error, row.finished_at) == (State.QUEUED, None, None)
    ((number, text),) = factory.inbox(database, row.id)
    assert (number, json.loads(text)) == (1, {"type": "Redriven", "time": NOW + 1})
    assert factory.log(database, row.id) == [SIGNAL]
    with database.read() as connection:
        assert [each.id for each in executions.due(connection, NOW + 1, 9, [0])] == [row.id]
    found = factory.conservation(database)
    assert (found.accepted, found.queued, found.drift) == (1, 1, 0)


def test_what_was_said_too_late_comes_before_the_redrive(database: Database) -> None:
    row = factory.held(database)
    assert database.write(executions.Deliver(row.id, (SIGNAL,), NOW))
    assert database.write(append(row, then=executions.Settle(state=State.FAILED)))
    assert database.write(executions.Redrive(row.id, NOW))
    numbers = [number for number, _ in factory.inbox(database, row.id)]
    assert numbers == [1, 2]


def test_a_dead_letter_goes_on_where_it_was(database: Database) -> None:
    row = factory.dead(database)
    assert database.write(executions.Redrive(row.id, NOW))
    row = factory.find(database, row.id)
    assert (row.state, row.reason, row.attempts) == (State.QUEUED, None, 0)
    assert factory.inbox(database, row.id) == []


def test_what_cannot_be_redriven(database: Database) -> None:
    good = factory.settled(database, State.SUCCEEDED)
    for row in (good, factory.queued(database), factory.held(database), factory.parked(database)):
        assert not database.write(executions.Redrive(row.id, NOW + 5))
    assert not database.write(executions.Redrive("unknown", NOW))


def test_many_redrives_at_once(database: Database) -> None:
    made = [factory.settled(database, s) for s in (State.FAILED, State.ABORTED) for _ in range(5)]
    made += [factory.dead(database) for _ in range(5)]
    futures = [database.submit(executions.Redrive(row.id, NOW)) for row in made]
    assert all(future.result(10) for future in futures)
    assert [len(factory.inbox(database, row.id)) for row in made] == [1] * 10 + [0] * 5


def test_every_move_is_in_the_table_and_every_line_of_it_can_be_moved() -> None:
    made = {
        (move.before, target)
        for move in lives.Move.all
        if move.life is rows.LIFE
        for target in move.targets
    }
    assert made == set(states.COMPOSITION_TRANSITIONS)


def test_a_move_outside_the_table_cannot_be_made() -> None:
    for before, after in [(State.SUCCEEDED, State.QUEUED), (State.WAITING, State.RUNNING)]:
        with pytest.raises(ValueError, match="cannot go"):
            moves.Move(before, after, "updated_at = 0")


def attempts(row: models.CompositionExecution, epoch: int, owner: str) -> list[Any]:
    """Every operation there is, on the row, under a claim."""
    thens = [executions.Stay(), executions.Park(NOW), executions.Park(None)]
    thens += [executions.Settle(state=state) for state in sorted(states.COMPOSITION_SETTLED)]
    claim: dict[str, Any] = {"epoch": epoch, "owner": owner}
    ops: list[Any] = [append(row, SIGNAL, then=then, **claim) for then in thens]
    taken = row.deliveries - row.consumed
    ops += [append(row, then=then, taken=taken, **claim) for then in thens]
    ops += [executions.Start(row.id, e, OWNER, NOW) for e in (epoch, epoch + 1)]
    ops += [requeue(row, **claim), requeue(row, count_attempt=False, **claim)]
    ops += [executions.Bury(id=row.id, **claim, reason="r", now=NOW + 5)]
    ops += [executions.Bury(id=row.id, reason="r", now=NOW + 5)]
    ops += [executions.Redrive(row.id, NOW + 5), executions.Wake([row.id], NOW + 9)]
    ops += [executions.Unpost([row.id], NOW), executions.Deliver(row.id, (SIGNAL,), NOW)]
    return [*ops, executions.Heartbeat(row.id, 1, NOW)]


def test_no_operation_leaves_the_table(database: Database) -> None:
    """Whatever is tried on a row in whatever state: the table allows what happened."""
    seen = set()
    table = tables.composition_executions
    count = len(attempts(factory.execution(owner=OWNER), 7, OWNER))
    for before in State:
        for place in range(count):
            row = factory.held(database, epoch=7)
            query = sa.update(table).where(table.c.id == row.id).values(state=before)
            query = query.values(posted=before is not State.WAITING, wake_at=NOW)
            database.transact(lambda c, q=query: c.execute(q))
            database.write(attempts(row, 7, OWNER)[place])
            after = factory.find(database, row.id)
            if after.state is not before or after.epoch != row.epoch:
                seen.add((before, after.state))
                assert states.composition_allowed(before, after.state)
    assert seen == set(states.COMPOSITION_TRANSITIONS)


def test_whatever_happens_nothing_drifts(database: Database, other: Database) -> None:
    """Random operations, many of them pointless, from many threads of two processes."""
    known = [factory.queued(database) for _ in range(8)]

    def act(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(20):
            parent, target = chance.choice(known), chance.choice(known)
            mine = chance.choice((database, other))
            row = factory.find(mine, target.id)
            epoch, owner = chance.choice(
                [(row.epoch, row.owner or OWNER), (chance.randrange(9), "b")]
            )
            asked = {"parent_id": parent.id, "parent_command": chance.randrange(9)}
            child = factory.execution(name=str(chance.randrange(40)), **asked)
            run = function_factory.execution(**asked)
            insert = executions.Insert((child,), chance.random() < 0.5)
            ops = [*attempts(row, epoch, owner), insert, functions.Insert(run, True)]
            op = chance.choice(ops)
            mine.write(op)
            if op is insert:
                known.append(child)
            if isinstance(op, functions.Insert):
                mine.write(functions.Cancel(run.id, NOW))

    def checked(seed: int) -> None:
        try:
            act(seed)
        except errors.NotFound:
            pass  # the name was taken, so the child is not there

    answers = function_factory.at_once([lambda n=n: checked(n) for n in range(24)], threads=12)
    assert answers == [None] * 24
    found = factory.conservation(database)
    assert found.drift == 0
    assert found.accepted >= 8
    with database.read() as connection:
        query = sa.text(
            "SELECT id, sequence, deliveries, consumed, state,"
            " (SELECT COUNT(*) FROM composition_signals AS s WHERE s.execution_id = e.id),"
            " (SELECT COALESCE(MIN(number), 0) FROM composition_inbox AS i"
            "  WHERE i.execution_id = e.id),"
            " (SELECT COUNT(*) FROM composition_inbox AS i WHERE i.execution_id = e.id)"
            " FROM composition_executions AS e"
        )
        for _, sequence, deliveries, consumed, state, logged, first, unread in connection.execute(
            query
        ):
            assert logged == sequence
            assert unread == deliveries - consumed
            assert first == (consumed + 1 if unread else 0)
            assert not (state == State.WAITING and unread), "sleeps on what it was told"
