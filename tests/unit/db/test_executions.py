"""What happens to an execution's row."""

from __future__ import annotations

import dataclasses
import time

import pytest
import sqlalchemy as sa

from funcflow import errors, ids, models, states
from funcflow.db import executions, listing, moves, tables, tallies
from funcflow.db.engine import Database
from funcflow.states import State
from tests.unit.db import factory

OWNER = factory.OWNER
NOW = 1_800_000_000.123456


def settle(execution: models.Execution, **fields: object) -> executions.Settle:
    defaults = {
        "id": execution.id,
        "epoch": execution.epoch,
        "owner": execution.owner,
        "state": State.SUCCEEDED,
        "now": NOW,
    }
    return executions.Settle(**(defaults | fields))  # type: ignore[arg-type]


def test_every_field_comes_back_as_it_went_in(database: Database) -> None:
    error = models.FunctionError(type="ValueError", message="no \0 \ud800", trace=("a", "b"))
    usage = models.Usage(
        queue=0.1, startup=0.2, run=0.3, cpu=0.25, memory_peak=2**40, worker="w", cold=True
    )
    made = factory.execution(
        function_version=3,
        function_alias="live",
        revision=7,
        shard=5,
        description="d",
        sync=False,
        state=State.RUNNING,
        input='{"a": "ü\u2028"}',
        output="[1]",
        error=error,
        reason="r",
        attempts=2,
        epoch=2**60,
        owner="o",
        not_before=NOW,
        expires_at=NOW + 0.1,
        idempotency_key="k",
        request_id="req",
        traceparent="t",
        usage=usage,
        created_at=NOW,
        started_at=NOW + 1,
        finished_at=NOW + 2,
        updated_at=NOW + 3,
    )
    assert database.write(executions.Insert(made, True)) == executions.Inserted(made, True)
    assert factory.find(database, made.id) == made


def test_a_run_from_insert_to_outcome(database: Database) -> None:
    made = factory.queued(database, input="{}")
    start = executions.Start(id=made.id, epoch=5, owner=OWNER, now=NOW)
    started = database.write(start)
    assert started == dataclasses.replace(
        made,
        state=State.RUNNING,
        attempts=1,
        epoch=5,
        owner=OWNER,
        started_at=NOW,
        updated_at=NOW,
    )
    usage = models.Usage(run=0.5, cold=True, worker="w")
    logs = (models.LogChunk("stdout", "hi", NOW, 0), models.LogChunk("stderr", "oh", NOW, 1))
    op = settle(started, output="42", usage=usage, logs=logs, now=NOW + 1)
    assert database.write(op)
    settled = factory.find(database, made.id)
    assert settled == dataclasses.replace(
        started,
        state=State.SUCCEEDED,
        output="42",
        usage=usage,
        finished_at=NOW + 1,
        updated_at=NOW + 1,
    )
    with database.read() as connection:
        assert executions.logs(connection, made.id) == list(logs)
        assert executions.logs(connection, made.id, after_seq=0) == [logs[1]]


def test_an_idempotency_key_makes_one_execution_per_project(database: Database) -> None:
    first = factory.queued(database, idempotency_key="k")
    second = factory.execution(idempotency_key="k")
    answer = database.write(executions.Insert(second, True))
    assert not answer.created
    assert answer.execution.id == first.id
    elsewhere = factory.execution(idempotency_key="k", project_id=factory.OTHER_PROJECT)
    assert database.write(executions.Insert(elsewhere, True)).created
    with database.read() as connection:
        assert executions.by_key(connection, factory.PROJECT, "k") == answer.execution
        assert executions.by_key(connection, "nobody", "k") is None


def test_one_key_from_many_threads_makes_one_execution(database: Database, other: Database) -> None:
    def insert(number: int) -> executions.Inserted:
        op = executions.Insert(factory.execution(idempotency_key="k"), True)
        return (database, other)[number % 2].write(op)

    answers = factory.at_once([lambda n=n: insert(n) for n in range(32)])
    assert sum(answer.created for answer in answers) == 1
    assert len({answer.execution.id for answer in answers}) == 1


def test_an_insert_again_is_the_first_one(database: Database) -> None:
    op = executions.Insert(factory.execution(), True)
    assert database.write(op).created
    started = database.write(executions.Start(id=op.execution.id, epoch=1, owner=OWNER, now=NOW))
    again = database.write(op)
    assert again == executions.Inserted(started, True)
    with database.read() as connection:
        assert tallies.conservation(connection) == tallies.Conservation(1, 0, 1, 0, 0, 0)


@pytest.mark.parametrize("state", sorted(set(State) - states.OPEN))
def test_an_execution_begins_open(state: State) -> None:
    with pytest.raises(ValueError, match="cannot begin"):
        executions.Insert(factory.execution(state=state), True)


def test_an_older_claim_cannot_start(database: Database) -> None:
    run = factory.running(database, epoch=5)
    assert database.write(executions.Start(id=run.id, epoch=4, owner="x", now=NOW)) is None
    assert database.write(executions.Start(id=run.id, epoch=5, owner="x", now=NOW)) is None
    assert factory.find(database, run.id) == run


def test_starting_again_with_the_same_claim_counts_once(database: Database) -> None:
    run = factory.running(database, epoch=5)
    again = database.write(executions.Start(id=run.id, epoch=5, owner=OWNER, now=NOW))
    assert again == run


def test_a_newer_claim_takes_over_and_the_old_one_is_fenced(database: Database) -> None:
    zombie = factory.running(database, epoch=5)
    heir = database.write(executions.Start(id=zombie.id, epoch=6, owner="heir", now=NOW))
    assert isinstance(heir, models.Execution)
    assert (heir.attempts, heir.epoch, heir.owner) == (2, 6, "heir")
    logs = (models.LogChunk("stdout", "zombie", NOW, 0),)
    assert not database.write(settle(zombie, output="1", logs=logs))
    requeue = executions.Requeue(zombie.id, 5, OWNER, NOW, "sandbox_lost", True)
    assert not database.write(requeue)
    bury = executions.Bury(id=zombie.id, epoch=5, owner=OWNER, reason="attempts", now=NOW)
    assert not database.write(bury)
    assert factory.find(database, zombie.id) == heir
    with database.read() as connection:
        assert executions.logs(connection, zombie.id) == []
    assert database.write(settle(heir, output="2"))


def test_an_outcome_is_settled_once(database: Database) -> None:
    run = factory.running(database)
    assert database.write(settle(run, output="1"))
    assert database.write(settle(run, output="1", now=NOW + 9)), "the same one again"
    assert not database.write(settle(run, state=State.FAILED))
    assert not database.write(settle(run, owner="x"))
    found = factory.find(database, run.id)
    assert found is not None
    assert (found.state, found.finished_at) == (State.SUCCEEDED, NOW)


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, State.DEAD, State.CANCELLED])
def test_not_every_state_is_an_outcome(state: State) -> None:
    with pytest.raises(ValueError, match="no outcome"):
        settle(factory.execution(owner=OWNER), state=state)


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
    settling = [lambda run=run: database.write(settle(run)) for run in runs]
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


def test_remove_undoes_an_insert_that_never_started(database: Database) -> None:
    queued, run = factory.queued(database), factory.running(database)
    assert database.write(executions.Remove(queued.id))
    assert database.write(executions.Remove(queued.id)), "gone is gone"
    assert not database.write(executions.Remove(run.id))
    assert factory.find(database, queued.id) is None
    with database.read() as connection:
        assert tallies.conservation(connection) == tallies.Conservation(1, 0, 1, 0, 0, 0)


def test_discard_only_what_is_over(database: Database) -> None:
    run = factory.running(database)
    over, dead = factory.running(database), factory.dead(database)
    logs = (models.LogChunk("stdout", "x", NOW, 0),)
    assert database.write(settle(over, logs=logs))
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
        assert database.write(settle(run, now=NOW + place, logs=logs))
    assert database.write(executions.PurgeSettled(NOW + 2, 1)) == 1
    assert factory.find(database, runs[0].id) is None
    assert database.write(executions.PurgeSettled(NOW + 2, 9)) == 1
    assert factory.find(database, runs[2].id) is not None
    with database.read() as connection:
        assert executions.logs(connection, runs[0].id) == []
        assert tallies.conservation(connection) == tallies.Conservation(4, 0, 1, 3, 0, 0)


def test_defer_lets_a_queued_one_wait(database: Database) -> None:
    made, run = factory.queued(database), factory.running(database)
    assert database.write(executions.Defer(made.id, NOW))
    assert not database.write(executions.Defer(run.id, NOW))
    with database.read() as connection:
        assert executions.unposted(connection, NOW - 1, 9, [0]) == []
        assert [row.id for row in executions.unposted(connection, NOW, 9, [0])] == [made.id]


def test_the_concurrency_limit_is_strict(database: Database, other: Database) -> None:
    waiting = [factory.queued(database, function_id="limited") for _ in range(30)]

    def start(number: int) -> models.Execution | executions.Full | None:
        op = executions.Start(id=waiting[number].id, epoch=1, owner=OWNER, now=time.time(), limit=4)
        return (database, other)[number % 2].write(op)

    answers = factory.at_once([lambda n=n: start(n) for n in range(30)], threads=16)
    started = [answer for answer in answers if isinstance(answer, models.Execution)]
    full = [answer for answer in answers if answer == executions.FULL]
    assert (len(started), len(full)) == (4, 26)
    refused = next(row for row, answer in zip(waiting, answers, strict=True) if answer in full)
    found = factory.find(database, refused.id)
    assert found is not None
    assert (found.state, found.attempts) == (State.QUEUED, 0)
    again = executions.Start(id=started[0].id, epoch=1, owner=OWNER, now=NOW, limit=4)
    assert database.write(again) == started[0]
    heir = executions.Start(id=started[0].id, epoch=2, owner="heir", now=NOW, limit=4)
    assert isinstance(database.write(heir), models.Execution), "takes no further room"
    assert database.write(settle(started[1]))
    start_refused = executions.Start(id=refused.id, epoch=1, owner=OWNER, now=NOW, limit=4)
    assert isinstance(database.write(start_refused), models.Execution)


def test_unposted_are_fair_between_projects(database: Database) -> None:
    for place in range(20):
        made = factory.execution(not_before=float(place), project_id="busy", shard=place % 2)
        database.write(executions.Insert(made, False))
    late = factory.execution(not_before=50.0, project_id="quiet")
    database.write(executions.Insert(late, False))
    database.write(executions.Insert(factory.execution(shard=2), False))
    with database.read() as connection:
        rows = executions.unposted(connection, 60.0, 4, [0, 1])
        assert [row.not_before for row in rows] == [0.0, 50.0, 1.0, 2.0]
        assert rows[1].id == late.id
        assert len(executions.unposted(connection, 60.0, 99, [1])) == 10
    database.write(executions.MarkPosted([row.id for row in rows], True))
    with database.read() as connection:
        rest = executions.unposted(connection, 60.0, 99, range(8))
        assert not {row.id for row in rows} & {row.id for row in rest}
        assert [row.id for row in executions.open_rows(connection, 9e9, [0])][-1] == late.id
    database.write(executions.MarkPosted([late.id], False))
    with database.read() as connection:
        assert late.id in {row.id for row in executions.unposted(connection, 60.0, 99, [0])}


def test_sweepers_queries(database: Database) -> None:
    soon = factory.queued(database, expires_at=10.0, input="large")
    run = factory.running(database, expires_at=10.0, shard=3)
    with database.read() as connection:
        (expired,) = executions.expired(connection, 10.0, 9)
        assert (expired.id, expired.input) == (soon.id, None)
        assert executions.expired(connection, 9.9, 9) == []
        assert [r.id for r in executions.running_owned_by(connection, [OWNER, "x"])] == [run.id]
        assert executions.running_owned_by(connection, ["x"]) == []
        assert [row.id for row in executions.open_rows(connection, 9e9, [3])] == [run.id]
        assert executions.open_rows(connection, 1.0, [0, 3]) == []
        assert executions.counts(connection) == {
            (factory.PROJECT, State.QUEUED): 1,
            (factory.PROJECT, State.RUNNING): 1,
        }


def test_another_projects_execution_is_not_found(database: Database) -> None:
    made = factory.queued(database)
    with database.read() as connection:
        assert executions.get(connection, made.id, factory.PROJECT).id == made.id
        assert executions.get(connection, made.id).id == made.id
        with pytest.raises(errors.NotFound):
            executions.get(connection, made.id, factory.OTHER_PROJECT)
        with pytest.raises(errors.NotFound):
            executions.get(connection, ids.new())


def test_the_list_uses_the_index_of_dead_letters(database: Database) -> None:
    made = factory.dead(database)
    factory.queued(database)
    query = listing.Query(project_id=factory.PROJECT, filters={"state": "dead"})
    seen: list[str] = []
    with database.read() as connection:
        sa.event.listen(
            connection, "before_cursor_execute", lambda c, k, sql, *rest: seen.append(sql)
        )
        assert [row.id for row in executions.list_(connection, query)] == [made.id]
    assert "state = 'dead'" in seen[-1]


def test_logs_keep_what_a_database_cannot(database: Database) -> None:
    chunks = (models.LogChunk("stdout", "a\0b\ud800c", NOW, 1),)
    op = executions.AppendLogs("e", chunks)
    database.write(op)
    database.write(op)
    with database.read() as connection:
        (found,) = executions.logs(connection, "e")
    assert found.text == "a\ufffdb?c"


def test_a_text_that_cannot_be_kept_is_the_callers_fault(database: Database) -> None:
    bad = factory.execution(description="\ud800")
    good = factory.execution()
    answers = factory.at_once(
        [
            lambda: database.write(executions.Insert(bad, True)),
            lambda: database.write(executions.Insert(good, True)),
        ]
    )
    assert isinstance(answers[0], errors.BadRequest)
    assert factory.find(database, good.id) is not None


def test_every_move_is_in_the_table_and_every_line_of_it_can_be_moved() -> None:
    made = {(move.before, target) for move in moves.Move.all for target in move.targets}
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
            settle(row, owner=owner, state=state)
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
