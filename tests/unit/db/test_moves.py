"""How executions change state, and how they do not."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from funcflow import models, states
from funcflow.db import executions, lives, moves, tables, tallies
from funcflow.db.engine import Database
from funcflow.states import State
from tests.unit.db import factory

OWNER = factory.OWNER
NOW = factory.NOW


def test_a_newer_claim_takes_over_and_the_old_one_is_fenced(database: Database) -> None:
    zombie = factory.running(database, epoch=5)
    heir = database.write(executions.Start(id=zombie.id, epoch=6, owner="heir", now=NOW))
    assert isinstance(heir, models.Execution)
    assert (heir.attempts, heir.epoch, heir.owner) == (2, 6, "heir")
    logs = (models.LogChunk("stdout", "zombie", NOW, 0),)
    assert not database.write(factory.settle(zombie, output="1", logs=logs))
    requeue = executions.Requeue(zombie.id, 5, OWNER, NOW, "sandbox_lost", True)
    assert not database.write(requeue)
    bury = executions.Bury(id=zombie.id, epoch=5, owner=OWNER, reason="attempts", now=NOW)
    assert not database.write(bury)
    assert factory.find(database, zombie.id) == heir
    with database.read() as connection:
        assert executions.logs(connection, zombie.id) == []
    assert database.write(factory.settle(heir, output="2"))


def test_an_outcome_is_settled_once(database: Database) -> None:
    run = factory.running(database)
    assert database.write(factory.settle(run, output="1"))
    assert database.write(factory.settle(run, output="1", now=NOW + 9)), "the same one again"
    assert not database.write(factory.settle(run, state=State.FAILED))
    assert not database.write(factory.settle(run, owner="x"))
    found = factory.find(database, run.id)
    assert found is not None
    assert (found.state, found.finished_at) == (State.SUCCEEDED, NOW)


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, State.DEAD, State.CANCELLED])
def test_not_every_state_is_an_outcome(state: State) -> None:
    with pytest.raises(ValueError, match="no outcome"):
        factory.settle(factory.execution(owner=OWNER), state=state)


@pytest.mark.parametrize(("count", "attempts"), [(True, 1), (False, 0)])
def test_requeue_waits_for_a_new_job(database: Database, count: bool, attempts: int) -> None:
    run = factory.running(database, epoch=5)
    op = executions.Requeue(run.id, 5, OWNER, NOW, "sandbox_lost", count, NOW)
    assert database.write(op)
    assert database.write(op), "again"
    found = factory.find(database, run.id)
    assert found is not None
    assert (found.state, found.attempts, found.owner) == (State.QUEUED, attempts, None)
    assert (found.reason, found.epoch) == ("sandbox_lost", 5)
    with database.read() as connection:
        assert executions.unposted(connection, NOW - 1, 9, [0]) == []
        waiting = executions.unposted(connection, NOW, 9, [0])
    assert [row.id for row in waiting] == [run.id]
    assert database.write(executions.Start(id=run.id, epoch=5, owner=OWNER, now=NOW)) is None
    assert database.write(executions.Start(id=run.id, epoch=6, owner=OWNER, now=NOW))


def test_bury_and_redrive(database: Database) -> None:
    queued = factory.queued(database)
    claimed = executions.Bury(id=queued.id, epoch=1, owner=OWNER, reason="x", now=NOW)
    assert not database.write(claimed), "the claim never ran it"
    bury = executions.Bury(id=queued.id, reason="expired", now=NOW)
    assert database.write(bury)
    assert database.write(bury), "again"
    run = factory.running(database, epoch=3)
    assert not database.write(executions.Bury(id=run.id, reason="x", now=NOW)), "it runs"
    claimed = executions.Bury(id=run.id, epoch=3, owner=OWNER, reason="attempts", now=NOW)
    assert database.write(claimed)
    assert not database.write(executions.Redrive("unknown", NOW, NOW))
    redrive = executions.Redrive(run.id, NOW + 1, NOW + 2)
    assert database.write(redrive)
    assert database.write(redrive), "again"
    found = factory.find(database, run.id)
    assert found is not None
    assert (found.state, found.attempts, found.reason) == (State.QUEUED, 0, None)
    assert (found.expires_at, found.epoch) == (NOW + 2, 3)
    with database.read() as connection:
        assert [row.id for row in executions.unposted(connection, NOW + 1, 9, [0])] == [run.id]


def test_cancel(database: Database) -> None:
    for made in (factory.queued(database), factory.running(database)):
        cancelled = database.write(executions.Cancel(made.id, NOW))
        assert cancelled is not None
        assert (cancelled.state, cancelled.finished_at) == (State.CANCELLED, NOW)
        assert database.write(executions.Cancel(made.id, NOW)) == cancelled, "the very same"
        assert database.write(executions.Cancel(made.id, NOW + 1)) is None, "a later one"
        with database.read() as connection:
            assert executions.cancelled_among(connection, [made.id, "x"]) == {made.id}
    assert database.write(executions.Cancel("unknown", NOW)) is None


def test_cancel_and_outcome_have_one_winner(database: Database, other: Database) -> None:
    runs = [factory.running(database) for _ in range(40)]
    settling = [lambda run=run: database.write(factory.settle(run)) for run in runs]
    cancelling = [lambda run=run: other.write(executions.Cancel(run.id, NOW)) for run in runs]
    calls = [call for pair in zip(settling, cancelling, strict=True) for call in pair]
    answers = factory.at_once(calls)
    for run, settled, cancelled in zip(runs, answers[::2], answers[1::2], strict=True):
        found = factory.find(database, run.id)
        assert found is not None
        assert (found.state is State.SUCCEEDED) is settled
        assert (found.state is State.CANCELLED) is (cancelled is not None)
    with database.read() as connection:
        assert tallies.conservation(connection).drift == 0


def test_defer_lets_a_queued_one_wait(database: Database) -> None:
    made, run = factory.queued(database), factory.running(database)
    assert database.write(executions.Defer(made.id, NOW))
    assert not database.write(executions.Defer(run.id, NOW))
    with database.read() as connection:
        assert executions.unposted(connection, NOW - 1, 9, [0]) == []
        assert [row.id for row in executions.unposted(connection, NOW, 9, [0])] == [made.id]


def test_every_move_is_in_the_table_and_every_line_of_it_can_be_moved() -> None:
    made = {
        (move.before, target)
        for move in lives.Move.all
        if move.life is moves.LIFE
        for target in move.targets
    }
    assert made == set(states.TRANSITIONS)


def test_a_move_outside_the_table_cannot_be_made() -> None:
    for before, after in [(State.SUCCEEDED, State.QUEUED), (State.DEAD, State.RUNNING)]:
        with pytest.raises(ValueError, match="cannot go"):
            moves.Move(before, after, "updated_at = 0")


def test_no_operation_leaves_the_table(database: Database) -> None:
    """Whatever is tried on a row in whatever state: the table allows what happened."""

    def attempts(row: models.Execution) -> list[object]:
        epoch, owner = row.epoch, row.owner or OWNER
        claim = {"id": row.id, "epoch": epoch, "owner": owner}
        ops: list[object] = [
            factory.settle(row, owner=owner, state=state)
            for state in sorted(states.SETTLED - {State.CANCELLED})
        ]
        ops += [executions.Start(id=row.id, epoch=e, owner=OWNER, now=NOW) for e in (0, 99)]
        ops += [executions.Requeue(row.id, epoch, owner, NOW, "r")]
        ops += [executions.Bury(**claim, reason="r", now=NOW + 5)]
        ops += [executions.Bury(id=row.id, reason="r", now=NOW + 5)]
        ops += [executions.Cancel(row.id, NOW + 5), executions.Redrive(row.id, NOW + 5, NOW)]
        ops += [executions.Defer(row.id, NOW), executions.MarkPosted([row.id], False)]
        return ops

    seen = set()
    count = len(attempts(factory.execution(owner=OWNER)))
    for before in State:
        for place in range(count):
            row = factory.running(database, epoch=7)
            with_state = sa.update(tables.executions).where(tables.executions.c.id == row.id)
            database.transact(lambda c, q=with_state, s=before: c.execute(q.values(state=s)))
            database.write(attempts(row)[place])  # type: ignore[arg-type]
            after = factory.find(database, row.id)
            assert after is not None
            if after.state is not before or after.epoch != row.epoch:
                seen.add((before, after.state))
                assert states.allowed(before, after.state)
    assert seen == set(states.TRANSITIONS)
