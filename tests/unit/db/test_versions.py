"""Versions of functions."""

from __future__ import annotations

import dataclasses

import pytest

from funcflow import errors, models
from funcflow.db import aliases, functions, listing, versions
from funcflow.db.engine import Database
from tests.unit.db import factory

NOW = 100.0


def change(database: Database, function: models.Function) -> models.Function:
    return database.transact(
        lambda c: functions.new_revision(c, function.id, None, function.revision, now=NOW)
    )


def release(database: Database, function: models.Function, limit: int = 10) -> models.Version:
    return database.transact(
        lambda c: versions.create(c, function.id, factory.PROJECT, now=NOW, limit=limit)
    )


def test_a_version_pins_the_revision(database: Database) -> None:
    made = factory.kept_function(database)
    first = release(database, made)
    assert (first.version_number, first.revision) == (1, made.revision)
    with pytest.raises(errors.Forbidden, match="not changed"):
        release(database, made)
    changed = change(database, made)
    second = release(database, made)
    assert (second.version_number, second.revision) == (2, changed.revision)
    factory.queued(database, function_id=made.id, function_version=2)
    with database.read() as connection:
        assert versions.get(connection, made.id, 1) == first
        counted = dataclasses.replace(second, count=1)
        assert versions.get(connection, made.id, 2, factory.PROJECT) == counted
        assert functions.get(connection, made.id).latest_version == 2
        query = listing.Query(project_id=factory.PROJECT, sort="version_number:desc")
        assert versions.list_(connection, made.id, query) == [counted, first]


def test_other_projects_see_no_version(database: Database) -> None:
    made = factory.kept_function(database)
    release(database, made)
    theirs = factory.OTHER_PROJECT
    with pytest.raises(errors.NotFound):
        database.transact(lambda c: versions.create(c, made.id, theirs, now=NOW))
    with pytest.raises(errors.NotFound):
        database.transact(lambda c: versions.delete(c, made.id, 1, theirs, now=NOW))
    with database.read() as connection:
        with pytest.raises(errors.NotFound):
            versions.get(connection, made.id, 1, theirs)
        with pytest.raises(errors.NotFound):
            versions.list_(connection, made.id, listing.Query(project_id=theirs))


def test_numbers_never_return(database: Database) -> None:
    made = factory.kept_function(database)
    release(database, made)
    change(database, made)
    database.transact(lambda c: versions.delete(c, made.id, 1, factory.PROJECT, now=NOW))
    assert release(database, made).version_number == 2


def test_of_many_at_once_one_pins_the_revision(database: Database, other: Database) -> None:
    made = factory.kept_function(database)
    calls = [lambda n=n: release((database, other)[n % 2], made) for n in range(12)]
    answers = factory.at_once(calls)
    (version,) = [answer for answer in answers if isinstance(answer, models.Version)]
    assert version.version_number == 1


def test_never_more_versions_than_allowed(database: Database, other: Database) -> None:
    made = factory.kept_function(database)

    def change_and_release(number: int) -> models.Version:
        mine = (database, other)[number % 2]
        change(mine, made)
        return release(mine, made, limit=3)

    answers = factory.at_once([lambda n=n: change_and_release(n) for n in range(12)])
    numbers = [answer.version_number for answer in answers if isinstance(answer, models.Version)]
    assert sorted(numbers) == [1, 2, 3]
    assert {type(answer) for answer in answers} == {models.Version, errors.Forbidden}


@pytest.mark.parametrize("weights", [{}, {1: 0.5}])
def test_a_version_under_an_alias_stays(database: Database, weights: dict[int, float]) -> None:
    made = factory.kept_function(database)
    release(database, made)
    alias = models.Alias(
        id="a",
        name="live",
        project_id=factory.PROJECT,
        function_id=made.id,
        function_version=0 if weights else 1,
        weights=weights,
        created_at=NOW,
    )
    database.transact(lambda c: aliases.create(c, alias))
    with pytest.raises(errors.InUse):
        database.transact(lambda c: versions.delete(c, made.id, 1, factory.PROJECT, now=NOW))
    database.transact(lambda c: aliases.delete(c, "live", factory.PROJECT))
    database.transact(lambda c: versions.delete(c, made.id, 1, factory.PROJECT, now=NOW))


def test_an_alias_and_a_deletion_of_its_version_exclude_each_other(
    database: Database, other: Database
) -> None:
    made = factory.kept_function(database)
    release(database, made)
    alias = models.Alias(
        id="a",
        name="live",
        project_id=factory.PROJECT,
        function_id=made.id,
        function_version=1,
        created_at=NOW,
    )
    answers = factory.at_once(
        [
            lambda: database.transact(lambda c: aliases.create(c, alias)),
            lambda: other.transact(
                lambda c: versions.delete(c, made.id, 1, factory.PROJECT, now=NOW)
            ),
        ]
    )
    assert sum(isinstance(answer, errors.FuncflowError) for answer in answers) == 1
