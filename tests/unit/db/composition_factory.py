"""Executions of compositions to put into a database."""

from __future__ import annotations

import time
from typing import Any

from funcflow import ids, models
from funcflow.db import composition_executions as executions
from funcflow.db import compositions, tallies
from funcflow.db.engine import Database
from funcflow.states import CompositionState
from tests.unit.db import factory

PROJECT, OWNER, NOW = factory.PROJECT, factory.OWNER, factory.NOW
SIGNAL = '{"type": "Continued", "time": 1.0}'


def execution(**fields: Any) -> models.CompositionExecution:
    made = ids.new()
    defaults: dict[str, Any] = {
        "id": made,
        "name": made,
        "project_id": PROJECT,
        "composition_id": "c",
        "revision": 1,
        "seed": "5eed",
        "created_at": time.time(),
    }
    return models.CompositionExecution(**(defaults | fields))


def queued(database: Database, posted: bool = True, **fields: Any) -> models.CompositionExecution:
    """One in the database."""
    (inserted,) = database.write(executions.Insert((execution(**fields),), posted))
    return inserted.execution


def held(
    database: Database, epoch: int = 1, owner: str = OWNER, **fields: Any
) -> models.CompositionExecution:
    """One that a conductor holds."""
    made = queued(database, **fields)
    started = database.write(executions.Start(made.id, epoch, owner, NOW))
    assert started is not None
    return started


def append(row: models.CompositionExecution, *signals: str, **fields: Any) -> executions.Append:
    """The next append to the row as it was, under its own claim unless told otherwise."""
    defaults: dict[str, Any] = {
        "id": row.id,
        "epoch": row.epoch,
        "owner": row.owner,
        "first": row.sequence + 1,
        "signals": signals,
        "consumed": row.consumed + fields.get("taken", 0),
        "paused": row.paused,
        "redrives": row.redrives,
        "now": NOW,
    }
    return executions.Append(**(defaults | fields))


def settled(
    database: Database, state: CompositionState = CompositionState.FAILED, **fields: Any
) -> models.CompositionExecution:
    """One that ended."""
    row = held(database, **fields)
    then = executions.Settle(state=state, error="Oops")
    assert database.write(append(row, SIGNAL, then=then))
    return find(database, row.id)


def parked(
    database: Database, wake_at: float | None = None, **fields: Any
) -> models.CompositionExecution:
    """One that waits."""
    row = held(database, **fields)
    assert database.write(append(row, SIGNAL, then=executions.Park(wake_at)))
    return find(database, row.id)


def dead(database: Database, **fields: Any) -> models.CompositionExecution:
    made = queued(database, **fields)
    assert database.write(executions.Bury(id=made.id, reason="poison", now=NOW))
    return find(database, made.id)


def find(database: Database, execution_id: str) -> models.CompositionExecution:
    with database.read() as connection:
        return executions.get(connection, execution_id)


def log(database: Database, execution_id: str) -> list[str]:
    with database.read() as connection:
        return executions.signals(connection, execution_id)


def inbox(database: Database, execution_id: str) -> list[tuple[int, str]]:
    with database.read() as connection:
        entries = executions.inbox(connection, execution_id)
    assert all(entry.execution_id == execution_id for entry in entries)
    return [(entry.number, entry.text) for entry in entries]


def conservation(database: Database) -> tallies.Conservation:
    with database.read() as connection:
        return tallies.composition_conservation(connection)


def revision(**fields: Any) -> models.CompositionRevision:
    defaults: dict[str, Any] = {
        "composition_id": "",
        "number": 1,
        "project_id": PROJECT,
        "definition": '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}',
        "digest": "d" * 64,
        "created_at": 1.0,
    }
    return models.CompositionRevision(**(defaults | fields))


def composition(**fields: Any) -> models.Composition:
    made = fields.pop("id", None) or ids.new()
    project_id = fields.pop("project_id", PROJECT)
    defaults: dict[str, Any] = {"name": f"order-{made}", "created_at": 1.0}
    return models.Composition(
        id=made,
        project_id=project_id,
        revision=revision(composition_id=made, project_id=project_id),
        **(defaults | fields),
    )


def kept(database: Database, **fields: Any) -> models.Composition:
    made = composition(**fields)
    return database.transact(lambda connection: compositions.create(connection, made))
