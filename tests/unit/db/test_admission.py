"""How executions come into being, and start to run."""

from __future__ import annotations

import time

import pytest

from funcflow import errors, models, states
from funcflow.db import executions, rates, tallies, usage
from funcflow.db.engine import Database
from funcflow.states import State
from tests.unit.db import factory

OWNER = factory.OWNER
NOW = factory.NOW


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


def test_remove_undoes_an_insert_that_never_started(database: Database) -> None:
    queued, run = factory.queued(database), factory.running(database)
    assert database.write(executions.Remove(queued.id))
    assert database.write(executions.Remove(queued.id)), "gone is gone"
    assert not database.write(executions.Remove(run.id))
    assert factory.find(database, queued.id) is None
    with database.read() as connection:
        assert tallies.conservation(connection) == tallies.Conservation(1, 0, 1, 0, 0, 0)


def test_the_concurrency_limit_is_strict(database: Database, other: Database) -> None:
    waiting = [factory.queued(database, function_id="limited") for _ in range(30)]

    def start(number: int) -> models.Execution | executions.Full | None:
        op = executions.Start(id=waiting[number].id, epoch=1, owner=OWNER, now=time.time(), limit=4)
        return (database, other)[number % 2].write(op)

    answers = factory.at_once([lambda n=n: start(n) for n in range(30)], threads=16)
    started = [answer for answer in answers if isinstance(answer, models.Execution)]
    full = [answer for answer in answers if isinstance(answer, executions.Full)]
    assert (len(started), len(full)) == (4, 26)
    refused = next(row for row, answer in zip(waiting, answers, strict=True) if answer in full)
    found = factory.find(database, refused.id)
    assert found is not None
    assert (found.state, found.attempts) == (State.QUEUED, 0)
    again = executions.Start(id=started[0].id, epoch=1, owner=OWNER, now=NOW, limit=4)
    assert database.write(again) == started[0]
    heir = executions.Start(id=started[0].id, epoch=2, owner="heir", now=NOW, limit=4)
    assert isinstance(database.write(heir), models.Execution), "takes no further room"
    assert database.write(factory.settle(started[1]))
    start_refused = executions.Start(id=refused.id, epoch=1, owner=OWNER, now=NOW, limit=4)
    assert isinstance(database.write(start_refused), models.Execution)


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


def test_the_limits_of_a_project_are_strict(database: Database, other: Database) -> None:
    """Runs of all its functions count, and what their workers may use of memory."""
    small = factory.kept_function(database, name="s", limits=models.Limits(memory_size=100))
    large = factory.kept_function(database, name="l", limits=models.Limits(memory_size=300))
    waiting = [factory.queued(database, function_id=(small, large)[n % 2].id) for n in range(20)]
    stranger = factory.queued(database, function_id=small.id, project_id=factory.OTHER_PROJECT)

    def start(row: models.Execution, **limits: int) -> models.Execution | executions.Full | None:
        op = executions.Start(id=row.id, epoch=1, owner=OWNER, now=time.time(), **limits)
        return (database, other)[int(row.id[-1], 16) % 2].write(op)

    answers = factory.at_once([lambda r=r: start(r, runs=5, memory=1000) for r in waiting])
    started = [answer for answer in answers if isinstance(answer, models.Execution)]
    sizes = {small.id: 100, large.id: 300}
    assert 1 <= len(started) <= 5
    assert sum(sizes[row.function_id] for row in started) <= 1000
    with database.read() as connection:
        assert usage.running(connection, factory.PROJECT) == (
            len(started), sum(sizes[row.function_id] for row in started),
        )  # fmt: skip
    left = [row for row, answer in zip(waiting, answers, strict=True) if answer not in started]
    assert start(left[0], runs=len(started)) == executions.Full("executions", len(started))
    assert start(left[0], memory=100) == executions.Full("memory", 100)
    assert isinstance(start(stranger, runs=1, memory=100), models.Execution), "of its own project"


def test_calls_a_minute_are_strict(database: Database, other: Database) -> None:
    """In any 60 seconds, through whatever process; a clock that was ahead blocks nobody."""

    def take(now: float) -> float:
        return (database, other)[int(now * 10) % 2].write(rates.Take("p", 7, now))

    answers = factory.at_once([lambda n=n: take(NOW + n / 10) for n in range(30)], threads=16)
    assert answers.count(0.0) == 7
    assert all(0 <= wait <= 62 for wait in answers)
    assert take(NOW + 59) > 0
    assert take(NOW + 64) == 0
    assert take(NOW - 7200) == 0
    assert database.write(rates.Take("q", 0, NOW)) > 0
