"""Tasks that wait for somebody to look for them, and those that nobody can do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from funcflow.compositions import signals
from funcflow.conductor.compositions.people import MESSAGE, People
from funcflow.conductor.compositions.services import Services
from funcflow.db import approvals, schema
from funcflow.db import composition_executions as db
from funcflow.db.engine import Database
from tests.unit.conductor.compositions.held import Held, row, task
from tests.waiting import until


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path}/funcflow.db"
    schema.upgrade(url)
    made = Database(url)
    yield made
    made.close()


def pending(database: Database, kind: str = "approval") -> list[approvals.Asked]:
    with database.read() as conn:
        return approvals.pending(conn, "p", kind)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"Message": "May I?", "Amount": 5}, "May I?"),
        ("May I?", "May I?"),
        ({"a": [1]}, '{"a":[1]}'),
        (None, "null"),
        ({"Message": "x\0\ud800" * MESSAGE}, ("x?" * MESSAGE)),
    ],
)
def test_an_approval_can_be_found(database: Database, arguments: Any, message: str) -> None:
    held = Held(row())
    database.write(db.Insert((held.row,), False))
    people = People(database)
    command = task("funcflow:approval", arguments, timeout=60)
    for again in (False, True):
        people.perform(held, [command], again)
    assert [type(each) for each in held.answers] == [signals.TaskSubmitted] * 2
    (asked,) = pending(database)
    assert (asked.execution_id, asked.command, asked.name) == (held.row.id, 1, "State")
    assert message.startswith(asked.message)
    assert asked.due_at == command.since + 60
    people.cancel(held, command)
    until(lambda: not pending(database), what="it is forgotten")


def test_an_activity_can_be_found_by_its_name(database: Database) -> None:
    held = Held(row())
    database.write(db.Insert((held.row,), False))
    activity = "arn:aws:states:eu-west-1:111111111111:activity:resize"
    People(database).perform(held, [task(activity, {"a": 1})], False)
    (asked,) = pending(database, "activity")
    assert (asked.name, asked.message, asked.due_at) == ("resize", '{"a":1}', None)


def test_a_service_that_there_is_not_fails_by_name() -> None:
    held = Held()
    command = task("arn:aws:states:::sqs:sendMessage.waitForTaskToken", {})
    Services().perform(held, [command], False)
    (answer,) = held.answers
    assert isinstance(answer, signals.TaskFailed)
    assert answer.error == "Funcflow.NoService"
    assert answer.refused
    assert "sqs:sendMessage" in (answer.cause or "")
