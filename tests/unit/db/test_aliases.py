"""Aliases of functions' versions."""

from __future__ import annotations

import dataclasses

import pytest

from funcflow import errors, models
from funcflow.db import aliases, listing, versions
from funcflow.db.engine import Database
from tests.unit.db import factory

NOW = 100.0


@pytest.fixture
def function(database: Database) -> models.Function:
    made = factory.kept_function(database)
    database.transact(lambda c: versions.create(c, made.id, None, now=NOW))
    return made


def alias(function: models.Function, **fields: object) -> models.Alias:
    defaults = {
        "id": "a",
        "name": "live",
        "project_id": factory.PROJECT,
        "function_id": function.id,
        "function_version": 1,
        "created_at": NOW,
    }
    return models.Alias(**(defaults | fields))  # type: ignore[arg-type]


def test_an_alias_comes_back_as_it_went_in(database: Database, function: models.Function) -> None:
    made = alias(function, function_version=0, weights={1: 0.25}, description="d")
    assert database.transact(lambda c: aliases.create(c, made)) == made
    with database.read() as connection:
        assert aliases.get(connection, "live", factory.PROJECT) == made
        query = listing.Query(project_id=factory.PROJECT, filters={"name": "has:IV"})
        assert aliases.list_(connection, query) == [made]
        with pytest.raises(errors.NotFound):
            aliases.get(connection, "live", factory.OTHER_PROJECT)


@pytest.mark.parametrize(
    "wrong", [{"function_version": 2}, {"weights": {7: 0.5}}, {"function_id": "x"}]
)
def test_it_points_to_what_is_there(
    database: Database, function: models.Function, wrong: dict[str, object]
) -> None:
    with pytest.raises(errors.NotFound):
        database.transact(lambda c: aliases.create(c, alias(function, **wrong)))


def test_names_are_unique_in_a_project(
    database: Database, other: Database, function: models.Function
) -> None:
    answers = factory.at_once(
        [
            lambda n=n: (database, other)[n % 2].transact(
                lambda c: aliases.create(c, alias(function, id=f"a{n}"))
            )
            for n in range(8)
        ]
    )
    assert sum(isinstance(answer, models.Alias) for answer in answers) == 1
    assert sum(isinstance(answer, errors.Conflict) for answer in answers) == 7


def test_update_and_delete(database: Database, function: models.Function) -> None:
    made = database.transact(lambda c: aliases.create(c, alias(function)))
    after = database.transact(
        lambda c: aliases.update(
            c, "live", factory.PROJECT, now=NOW + 1, function_version=0, weights={1: 0.5}
        )
    )
    assert after == dataclasses.replace(
        made, function_version=0, weights={1: 0.5}, updated_at=NOW + 1
    )
    with pytest.raises(errors.NotFound):
        database.transact(
            lambda c: aliases.update(c, "live", factory.PROJECT, now=NOW, function_version=5)
        )
    with pytest.raises(errors.NotFound):
        database.transact(lambda c: aliases.delete(c, "live", factory.OTHER_PROJECT))
    database.transact(lambda c: aliases.delete(c, "live", factory.PROJECT))
    with pytest.raises(errors.NotFound):
        database.transact(lambda c: aliases.delete(c, "live", factory.PROJECT))
