"""Runs of workflows are asked for once, claimed by one, and stopped when that is safe."""

from __future__ import annotations

import dataclasses

import pytest

from funcflow import ids
from funcflow.db import workflow_runs as db
from funcflow.db.engine import Database
from funcflow.models.workflows import Run, Stage, Wanted

WANTED = Wanted(workflow="heal", input={"server": "vm-7"}, env={"n": [1]})


@pytest.fixture
def run(database: Database) -> Run:
    """One that is to be started, due at 10."""
    made = Run(
        id=ids.new(), execution_id="e", command=3, project_id="p", trust_id="t", wanted=WANTED,
        due_at=10.0, created_at=9.0,
    )  # fmt: skip
    ask(database, made)
    return made


def ask(database: Database, *runs: Run) -> None:
    database.transact(lambda connection: db.ask(connection, runs))


def claim(database: Database, run: Run, until: float) -> Run | None:
    found = database.transact(lambda connection: db.claim(connection, [run], until))
    return found[0] if found else None


def kept(database: Database, run: Run) -> Run | None:
    with database.read() as connection:
        return db.find(connection, run.id)


def stop(database: Database, now: float) -> None:
    database.transact(lambda connection: db.stop(connection, "e", 3, now))


def test_asking_again_changes_nothing(database: Database, run: Run) -> None:
    ask(database, dataclasses.replace(run, wanted=Wanted(workflow="other"), due_at=99.0))
    assert kept(database, run) == run


def test_of_two_one_claims_it(database: Database, run: Run) -> None:
    with database.read() as connection:
        assert db.due(connection, 9.9, 5) == []
        assert db.due(connection, 10.0, 5) == [run]
    mine = claim(database, run, 50.0)
    assert mine == dataclasses.replace(run, due_at=50.0, attempts=1)
    assert claim(database, run, 60.0) is None
    assert mine == kept(database, run)


def test_who_was_too_slow_changes_nothing(database: Database, run: Run) -> None:
    slow, quick = claim(database, run, 20.0), None
    assert slow is not None
    quick = claim(database, slow, 30.0)
    assert quick is not None
    assert not database.transact(lambda c: db.change(c, slow, stage=Stage.WAITING.value))
    assert not database.transact(lambda c: db.over(c, slow))
    assert database.transact(lambda c: db.change(c, quick, stage=Stage.WAITING.value, due_at=40.0))
    waiting = kept(database, run)
    assert waiting is not None
    assert (waiting.stage, waiting.due_at) == (Stage.WAITING, 40.0)
    assert database.transact(lambda c: db.over(c, waiting))
    assert kept(database, run) is None


def test_what_is_being_started_is_stopped_afterwards(database: Database, run: Run) -> None:
    claim(database, run, 50.0)
    stop(database, 20.0)
    stopping = kept(database, run)
    assert stopping is not None
    assert (stopping.stage, stopping.due_at, stopping.wanted) == (Stage.STOPPING, 50.0, None)


@pytest.mark.parametrize("started", [False, True])
def test_what_is_not_being_started_is_stopped_at_once(
    database: Database, run: Run, started: bool
) -> None:
    if started:
        values = {"stage": Stage.WAITING.value, "due_at": 500.0}
        database.transact(lambda c: db.change(c, run, **values))
    stop(database, 20.0)
    stopping = kept(database, run)
    assert stopping is not None
    assert (stopping.stage, stopping.due_at) == (Stage.STOPPING, 20.0)
    assert not database.transact(lambda c: db.hasten(c, run.id, 1.0))


def test_what_was_started_although_nobody_wants_it_is_stopped_at_once(
    database: Database, run: Run
) -> None:
    claim(database, run, 50.0)
    assert database.transact(lambda c: db.started(c, run.id, 30.0))
    starting = kept(database, run)
    assert starting is not None
    assert starting.due_at == 50.0, "somebody else starts it as well"
    stop(database, 20.0)
    assert database.transact(lambda c: db.started(c, run.id, 30.0))
    stopping = kept(database, run)
    assert stopping is not None
    assert (stopping.stage, stopping.due_at) == (Stage.STOPPING, 30.0)
    assert database.transact(lambda c: db.over(c, stopping))
    assert not database.transact(lambda c: db.started(c, run.id, 30.0))


def test_news_makes_it_due_also_while_somebody_looks(database: Database, run: Run) -> None:
    assert not database.transact(lambda c: db.hasten(c, run.id, 30.0)), "nobody waits yet"
    database.transact(lambda c: db.change(c, run, stage=Stage.WAITING.value, due_at=20.0))
    waiting = kept(database, run)
    assert waiting is not None
    looking = claim(database, waiting, 100.0)
    assert looking is not None
    assert database.transact(lambda c: db.hasten(c, run.id, 30.0))
    assert not database.transact(lambda c: db.change(c, looking, due_at=90.0))
    with database.read() as connection:
        assert [each.id for each in db.due(connection, 30.0, 5)] == [run.id]
