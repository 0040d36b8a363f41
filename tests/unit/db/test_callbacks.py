"""Callbacks come with their executions, are due with their ends, and are claimed by one."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import pytest

from funcflow.callbacks import Callback, Kind, Stage, Wanted
from funcflow.db import callbacks, composition_executions, executions
from funcflow.db.engine import Database
from funcflow.states import CompositionState, State
from tests.unit.db import composition_factory, factory

WANTED = Wanted(kind=Kind.MISTRAL, target={"action_execution_id": "a"}, token="sealed")
LATER = 1e12


def kept(database: Database, execution_id: str) -> Callback | None:
    with database.read() as connection:
        found = callbacks.of(connection, execution_id)
    return found[0] if found else None


def called(database: Database) -> str:
    """A running execution whose end somebody wants to know; its id."""
    execution = factory.execution()
    database.write(executions.Insert(execution, True, WANTED))
    database.write(executions.Start(execution.id, 5, "me", time.time()))
    return execution.id


def due(database: Database) -> Callback:
    """A callback that is due."""
    execution_id = called(database)
    database.write(executions.Cancel(execution_id, time.time()))
    found = kept(database, execution_id)
    assert found is not None
    return found


def test_it_waits_with_its_execution(database: Database) -> None:
    found = kept(database, called(database))
    assert found is not None
    assert (found.stage, found.target, found.token) == (Stage.WAITING, WANTED.target, "sealed")
    assert "sealed" not in repr(found)


ENDS: dict[str, Callable[[str], object]] = {
    "settled": lambda key: executions.Settle(
        id=key, epoch=5, owner="me", state=State.SUCCEEDED, output="1", now=time.time()
    ),
    "cancelled": lambda key: executions.Cancel(key, time.time()),
    "buried": lambda key: executions.Bury(
        id=key, epoch=5, owner="me", reason="poison", now=time.time()
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_every_end_makes_it_due(database: Database, end: str) -> None:
    execution_id = called(database)
    assert database.write(ENDS[end](execution_id))  # type: ignore[arg-type]
    found = kept(database, execution_id)
    assert found is not None
    assert found.stage is Stage.DUE
    assert found.ended_at == found.due_at
    with database.read() as connection:
        assert found in callbacks.due(connection, time.time(), 1000)


def test_a_step_that_is_no_end_leaves_it_waiting(database: Database) -> None:
    execution_id = called(database)
    requeue = executions.Requeue(execution_id, 5, "me", time.time(), "sandbox_lost")
    assert database.write(requeue)
    found = kept(database, execution_id)
    assert found is not None
    assert found.stage is Stage.WAITING


def test_the_end_of_a_composition_makes_it_due(database: Database) -> None:
    execution = composition_factory.execution()
    database.write(composition_executions.Insert((execution,), True, WANTED))
    started = database.write(composition_executions.Start(execution.id, 5, "me", time.time()))
    assert started is not None
    then = composition_executions.Settle(state=CompositionState.SUCCEEDED, output="1")
    assert database.write(composition_factory.append(started, then=then)) is not None
    found = kept(database, execution.id)
    assert found is not None
    assert (found.stage, found.source) == (Stage.DUE, "composition")


def test_one_of_two_gets_the_claim(database: Database) -> None:
    seen = due(database)
    first, second = (callbacks.Claim(seen, until) for until in (LATER, LATER + 1))
    assert [database.write(first), database.write(second)] == [True, False]
    mine, other = first.claimed(), second.claimed()
    assert kept(database, seen.execution_id) == mine
    assert not database.write(callbacks.Told(other))
    assert database.write(callbacks.Told(mine))
    assert kept(database, seen.execution_id) is None


def test_an_end_voids_the_claim_of_who_looked(database: Database) -> None:
    execution_id = called(database)
    waiting = kept(database, execution_id)
    assert waiting is not None
    looking = callbacks.Claim(waiting, LATER)
    assert database.write(looking)
    database.write(executions.Cancel(execution_id, time.time()))
    assert not database.write(callbacks.Postpone(looking.claimed(), LATER, None))
    found = kept(database, execution_id)
    assert found is not None
    assert found.due_at is not None
    assert found.due_at < LATER


def test_dead_ones_are_kept_redriven_and_purged(database: Database) -> None:
    seen = due(database)
    assert database.write(callbacks.Bury(seen, "refused"))
    dead = kept(database, seen.execution_id)
    assert dead == dataclasses.replace(seen, stage=Stage.DEAD, due_at=None, reason="refused")
    assert database.transact(lambda c: callbacks.redrive(c, seen.execution_id, 7.0))
    again = kept(database, seen.execution_id)
    assert again is not None
    assert (again.stage, again.due_at, again.attempts) == (Stage.DUE, 7.0, 0)
    assert database.write(callbacks.Bury(again, "refused"))
    assert database.transact(lambda c: callbacks.purge(c, 8.0)) == 1
    assert kept(database, seen.execution_id) is None


def test_an_execution_that_never_was_has_none(database: Database) -> None:
    execution = factory.execution()
    database.write(executions.Insert(execution, True, WANTED))
    assert database.write(executions.Remove(execution.id))
    assert kept(database, execution.id) is None


def test_an_insert_that_is_made_again_keeps_one(database: Database) -> None:
    insert = executions.Insert(factory.execution(), True, WANTED)
    assert database.write(insert).created
    assert database.write(insert).created
    assert kept(database, insert.execution.id) is not None
