"""Things to put into a database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from funcflow import ids, models, states
from funcflow.db import executions, functions
from funcflow.db.engine import Database

T = TypeVar("T")

PROJECT = "project-a"
OTHER_PROJECT = "project-b"
OWNER = "conductor-1"
NOW = 1_800_000_000.123456


def execution(**fields: Any) -> models.Execution:
    now = time.time()
    defaults: dict[str, Any] = {
        "id": ids.new(),
        "project_id": PROJECT,
        "function_id": "f",
        "revision": 1,
        "created_at": now,
        "expires_at": now + 3600,
    }
    return models.Execution(**(defaults | fields))


def queued(database: Database, **fields: Any) -> models.Execution:
    """One in the database, posted."""
    return database.write(executions.Insert(execution(**fields), True)).execution


def running(
    database: Database, epoch: int = 1, owner: str = OWNER, **fields: Any
) -> models.Execution:
    made = queued(database, **fields)
    op = executions.Start(id=made.id, epoch=epoch, owner=owner, now=time.time())
    started = database.write(op)
    assert isinstance(started, models.Execution)
    return started


def dead(database: Database, **fields: Any) -> models.Execution:
    made = queued(database, **fields)
    bury = executions.Bury(id=made.id, reason="poison", now=time.time())
    assert database.write(bury)
    return made


def settle(execution: models.Execution, **fields: Any) -> executions.Settle:
    """The outcome of the run, under its own claim unless told otherwise."""
    defaults: dict[str, Any] = {
        "id": execution.id,
        "epoch": execution.epoch,
        "owner": execution.owner,
        "state": states.State.SUCCEEDED,
        "now": NOW,
    }
    return executions.Settle(**(defaults | fields))


def log(text: str, seq: int = 0) -> models.LogChunk:
    return models.LogChunk("stdout", text, 1.0, seq)


def find(database: Database, execution_id: str) -> models.Execution | None:
    with database.read() as connection:
        return executions.find(connection, execution_id)


def function(project_id: str = PROJECT, **fields: Any) -> models.Function:
    function_id = fields.pop("id", None) or ids.new()
    revision_fields = {"runtime_id": None, "code": {"source": "package"}, "digest": "d" * 64}
    for name in tuple(fields):
        if name in models.Revision.__dataclass_fields__:
            revision_fields[name] = fields.pop(name)
    defaults: dict[str, Any] = {"name": "hello", "created_at": 1.0}
    return models.Function(
        id=function_id,
        project_id=project_id,
        revision=revision(function_id=function_id, project_id=project_id, **revision_fields),
        **(defaults | fields),
    )


def revision(**fields: Any) -> models.Revision:
    defaults: dict[str, Any] = {
        "function_id": "",
        "number": 1,
        "project_id": PROJECT,
        "runtime_id": None,
        "code": {"source": "package"},
        "digest": "e" * 64,
        "created_at": 1.0,
    }
    return models.Revision(**(defaults | fields))


def kept_function(database: Database, **fields: Any) -> models.Function:
    made = function(**fields)
    return database.transact(lambda connection: functions.create(connection, made))


def at_once(calls: Iterable[Callable[[], T]], threads: int = 8) -> list[T | Exception]:
    """The results, or errors, of calls made from several threads."""

    def outcome(call: Callable[[], T]) -> T | Exception:
        try:
            return call()
        except Exception as exc:
            return exc

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(outcome, calls))
