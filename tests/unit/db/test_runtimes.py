"""Runtimes."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from funcflow import errors, models
from funcflow.db import executions, functions, listing, runtimes
from funcflow.db.engine import Database
from tests.unit.db import factory

NOW = 100.0


def kept(database: Database, runtime_id: str, **fields: Any) -> models.Runtime:
    defaults: dict[str, Any] = {
        "id": runtime_id,
        "name": runtime_id,
        "image": "registry/python3:1",
        "project_id": factory.PROJECT,
        "created_at": NOW,
    }
    made = models.Runtime(**(defaults | fields))
    return database.transact(lambda c: runtimes.create(c, made))


def test_private_ones_are_seen_by_their_project_alone(database: Database) -> None:
    public, private = kept(database, "a"), kept(database, "b", is_public=False, trusted=False)
    theirs = factory.OTHER_PROJECT
    with database.read() as connection:
        assert runtimes.get(connection, "b", factory.PROJECT) == private
        assert runtimes.get(connection, "a", theirs) == public
        assert runtimes.resolve(connection, "a", theirs) == public
        for seek in (runtimes.get, runtimes.resolve):
            with pytest.raises(errors.NotFound):
                seek(connection, "b", theirs)
        for project_id, seen in ((theirs, [public]), (factory.PROJECT, [public, private])):
            query = listing.Query(project_id=project_id)
            assert runtimes.list_(connection, query) == seen


def test_update_is_for_the_owner(database: Database) -> None:
    made = kept(database, "a")
    with pytest.raises(errors.NotFound):
        database.transact(
            lambda c: runtimes.update(c, "a", factory.OTHER_PROJECT, now=NOW, name="x")
        )
    after = database.transact(lambda c: runtimes.update(c, "a", None, now=NOW, image="new"))
    assert after == dataclasses.replace(made, image="new", updated_at=NOW)


def test_one_in_use_stays(database: Database) -> None:
    kept(database, "a")
    made = factory.kept_function(database, runtime_id="a")
    with pytest.raises(errors.InUse):
        database.transact(lambda c: runtimes.delete(c, "a", factory.PROJECT))
    run = factory.running(database, function_id=made.id)
    database.transact(lambda c: functions.delete(c, made.id, None, now=NOW))
    with pytest.raises(errors.InUse):
        database.transact(lambda c: runtimes.delete(c, "a", factory.PROJECT))
    database.write(executions.Cancel(run.id, NOW))
    database.transact(lambda c: runtimes.delete(c, "a", factory.PROJECT))
    with database.read() as connection, pytest.raises(errors.NotFound):
        runtimes.get(connection, "a")


def test_the_defaults_are_made_once(database: Database, other: Database) -> None:
    for answer in factory.at_once(
        [
            lambda n=n: (database, other)[n % 2].transact(
                lambda c: runtimes.ensure_defaults(c, "default")
            )
            for n in range(8)
        ]
    ):
        assert answer is None
    with database.read() as connection:
        found = runtimes.list_(connection, listing.Query(project_id=None, sort="name"))
        assert [(row.name, row.image) for row in found] == [
            ("nodejs", "funcflow/nodejs"),
            ("python3", "funcflow/python3"),
        ]
        assert runtimes.resolve(connection, "python3", "anybody") == found[1]
        assert found[1].id == "bace663c-3340-59ca-9c7f-f9f3e9f50441", "never another one"


def test_a_name_that_several_have_names_none(database: Database) -> None:
    for runtime_id in ("a", "b"):
        kept(database, runtime_id, name="same")
    with database.read() as connection, pytest.raises(errors.Conflict):
        runtimes.resolve(connection, "same", factory.PROJECT)
