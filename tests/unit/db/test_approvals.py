"""Tasks that wait for a person: found while their execution is open, decided once."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from funcflow import errors, ids, models
from funcflow.db import approvals
from funcflow.db import composition_executions as executions
from funcflow.db.engine import Database
from funcflow.states import CompositionState
from tests.unit.db import factory

NOW = 1_800_000_000.0


def running(database: Database, project: str = factory.PROJECT) -> models.CompositionExecution:
    made_id = ids.new()
    row = models.CompositionExecution(
        id=made_id,
        project_id=project,
        composition_id="c",
        revision=1,
        name=made_id,
        seed="s",
        created_at=NOW,
        state=CompositionState.RUNNING,
        epoch=1,
        owner=factory.OWNER,
        attempts=1,
    )
    (inserted,) = database.write(executions.Insert((row,), True))
    return inserted.execution


def asked(row: models.CompositionExecution, command: int = 1, **fields: Any) -> approvals.Asked:
    defaults: dict[str, Any] = {
        "kind": "approval",
        "name": "Approve",
        "message": "May I?",
        "asked_at": NOW,
    }
    return approvals.Asked(
        execution_id=row.id,
        command=command,
        project_id=row.project_id,
        composition_id=row.composition_id,
        token=f"{row.id}.{command}",
        **(defaults | fields),
    )


def pending(database: Database, project: str | None = factory.PROJECT, **how: Any) -> list[Any]:
    with database.read() as conn:
        found = approvals.pending(conn, project, how.pop("kind", "approval"), **how)
    return [(each.execution_id, each.command) for each in found]


def settle(database: Database, row: models.CompositionExecution) -> None:
    append = executions.Append(
        id=row.id,
        epoch=1,
        owner=factory.OWNER,
        first=1,
        consumed=0,
        then=executions.Settle(state=CompositionState.SUCCEEDED, output="1"),
        paused=False,
        redrives=0,
        now=NOW,
    )
    assert database.write(append) is not None


def test_what_was_asked_is_found(database: Database) -> None:
    row = running(database)
    first = asked(row, 1, asked_at=NOW + 1, due_at=NOW + 60)
    database.write(approvals.Ask((first, asked(row, 2))))
    assert pending(database) == [(row.id, 2), (row.id, 1)]
    with database.read() as conn:
        assert approvals.find(conn, row.id, 1) == first
        assert approvals.find(conn, row.id, 3) is None


def test_asking_again_changes_nothing(database: Database) -> None:
    row = running(database)
    database.write(approvals.Ask((asked(row),)))
    database.write(approvals.Ask((asked(row, asked_at=NOW + 9), asked(row, asked_at=NOW + 9))))
    with database.read() as conn:
        found = approvals.find(conn, row.id, 1)
    assert found is not None
    assert found.asked_at == NOW


def test_projects_kinds_and_names_are_kept_apart(database: Database) -> None:
    mine, theirs = running(database), running(database, factory.OTHER_PROJECT)
    database.write(approvals.Ask((asked(mine), asked(theirs))))
    database.write(approvals.Ask((asked(mine, 2, kind="activity", name="resize"),)))
    assert pending(database) == [(mine.id, 1)]
    assert len(pending(database, None)) == 2
    assert pending(database, kind="activity", name="resize") == [(mine.id, 2)]
    assert pending(database, kind="activity", name="other") == []
    assert pending(database, None, execution_id=theirs.id) == [(theirs.id, 1)]


def test_pages(database: Database) -> None:
    row = running(database)
    database.write(approvals.Ask(tuple(asked(row, number) for number in range(1, 6))))
    first = pending(database, limit=2)
    second = pending(database, limit=2, marker=f"{row.id}.2")
    assert [command for _, command in first + second] == [1, 2, 3, 4]
    for marker in (f"{row.id}.9", "none", f"{ids.new()}.1"):
        with pytest.raises(errors.BadRequest, match="marker"):
            pending(database, marker=marker)


def test_what_nobody_waits_for_is_not_found(database: Database) -> None:
    row = running(database)
    database.write(approvals.Ask((asked(row, 1), asked(row, 2))))
    database.write(approvals.Forget(row.id, 1))
    assert pending(database) == [(row.id, 2)]
    settle(database, row)
    assert pending(database) == []


def test_one_decision_is_heard(database: Database) -> None:
    row = running(database)
    database.write(approvals.Ask((asked(row),)))
    futures = [
        database.submit(approvals.Decide(row.id, 1, json.dumps({"n": number}), NOW))
        for number in range(2)
    ]
    told = [future.result(10) for future in futures]
    (heard,) = [index for index, each in enumerate(told) if each is not None]
    delivered = told[heard]
    assert delivered is not None
    assert (delivered.state, delivered.owner) == (CompositionState.RUNNING, factory.OWNER)
    with database.read() as conn:
        (entry,) = executions.inbox(conn, row.id)
    assert json.loads(entry.text) == {"n": heard}
    assert pending(database) == []


def test_decisions_of_many_executions_are_heard_together(database: Database) -> None:
    rows = [running(database) for _ in range(20)]
    database.write(approvals.Ask(tuple(asked(row) for row in rows)))
    futures = [database.submit(approvals.Decide(row.id, 1, "{}", time.time())) for row in rows]
    assert all(future.result(10) is not None for future in futures)


def test_nobody_hears_a_decision_about_what_has_ended(database: Database) -> None:
    row = running(database)
    database.write(approvals.Ask((asked(row),)))
    settle(database, row)
    assert database.write(approvals.Decide(row.id, 1, "{}", NOW)) is None
    assert database.write(approvals.Decide(ids.new(), 1, "{}", NOW)) is None


def test_a_task_of_an_activity_is_taken_once(database: Database) -> None:
    row, over = running(database), running(database)
    tasks = [asked(row, n, kind="activity", name="resize", asked_at=NOW + n) for n in range(3)]
    ended = asked(over, kind="activity", name="resize")
    other = asked(row, 9, kind="activity", name="other")
    database.write(approvals.Ask((*tasks[::-1], other, ended, asked(row, 10))))
    settle(database, over)

    def take(_: int = 0) -> approvals.Asked | None:
        return database.transact(lambda conn: approvals.take(conn, factory.PROJECT, "resize"))

    assert take() == tasks[0]
    with ThreadPoolExecutor(4) as pool:
        found = [each for each in pool.map(take, range(8)) if each is not None]
    assert sorted(each.command for each in found) == [1, 2]
    assert pending(database, kind="activity") == [(row.id, 9)]
    assert pending(database) == [(row.id, 10)]


def test_what_is_forgotten_takes_its_questions_along(database: Database) -> None:
    row = running(database)
    database.write(approvals.Ask((asked(row),)))
    settle(database, row)
    assert database.write(executions.Discard(row.id))
    with database.read() as conn:
        assert approvals.find(conn, row.id, 1) is None
