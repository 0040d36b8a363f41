"""Functions, their revisions and their limits."""

from __future__ import annotations

import dataclasses

import pytest

from funcflow import errors, models
from funcflow.db import aliases, executions, functions, listing, revisions, runtimes, versions
from funcflow.db.engine import Database
from tests.unit.db import factory

NOW = 100.0


def test_a_function_comes_back_as_it_went_in(database: Database) -> None:
    made = factory.kept_function(
        database,
        description="d",
        digest="a" * 64,
        code={"source": "package", "md5sum": "x"},
        entry="m.Class.run",
        environment={"A": "ü"},
        limits=models.Limits(
            cpu=1, memory_size=2**33, timeout=0.5, concurrency=3, max_concurrency=9
        ),
        delivery="at-most-once",
        network=True,
    )
    with database.read() as connection:
        assert functions.get(connection, made.id) == made
        assert functions.resolve(connection, made.id.upper(), factory.PROJECT) == made
        assert functions.resolve(connection, "hello", factory.PROJECT) == made
        assert functions.resolve(connection, "hello", None, factory.PROJECT) == made
        assert functions.name(connection, made.id) == "hello"
        assert functions.name(connection, "x") is None
        assert functions.max_concurrency(connection, made.id) == 9
        assert functions.max_concurrency(connection, "x") is None
        assert revisions.get(connection, made.id, 1) == made.revision
        with pytest.raises(errors.NotFound):
            revisions.get(connection, made.id, 2)


def test_another_projects_function_is_not_found(database: Database) -> None:
    made = factory.kept_function(database)
    theirs = factory.OTHER_PROJECT
    with database.read() as connection:
        for attempt in (
            lambda: functions.get(connection, made.id, theirs),
            lambda: functions.resolve(connection, made.id, theirs),
            lambda: functions.resolve(connection, "hello", theirs),
        ):
            with pytest.raises(errors.NotFound):
                attempt()
    with pytest.raises(errors.NotFound):
        database.transact(lambda c: functions.delete(c, made.id, theirs, now=NOW))
    with pytest.raises(errors.NotFound):
        database.transact(lambda c: functions.update(c, made.id, theirs, name="x", now=NOW))


def test_a_name_that_several_have_names_none(database: Database) -> None:
    for _ in range(2):
        factory.kept_function(database)
    with database.read() as connection, pytest.raises(errors.Conflict):
        functions.resolve(connection, "hello", factory.PROJECT)


def test_a_new_revision_is_latest_and_the_old_one_stays(database: Database) -> None:
    made = factory.kept_function(database)
    new = dataclasses.replace(made.revision, digest="b" * 64)
    after = database.transact(
        lambda c: functions.new_revision(c, made.id, factory.PROJECT, new, now=NOW)
    )
    assert after.revision == dataclasses.replace(new, number=2, created_at=NOW)
    assert after.updated_at == NOW
    with database.read() as connection:
        assert revisions.get(connection, made.id, 1) == made.revision


def test_revisions_made_at_once_have_numbers_of_their_own(
    database: Database, other: Database
) -> None:
    made = factory.kept_function(database)

    def revise(number: int) -> models.Function:
        return (database, other)[number % 2].transact(
            lambda c: functions.new_revision(c, made.id, None, made.revision, now=NOW)
        )

    answers = factory.at_once([lambda n=n: revise(n) for n in range(12)])
    assert sorted(answer.revision.number for answer in answers) == list(range(2, 14))


def test_update_changes_what_is_given(database: Database) -> None:
    made = factory.kept_function(database, description="old")
    after = database.transact(
        lambda c: functions.update(c, made.id, factory.PROJECT, name="new", now=NOW)
    )
    assert after == dataclasses.replace(made, name="new", updated_at=NOW)


def test_never_more_functions_than_allowed(database: Database, other: Database) -> None:
    def create(number: int) -> models.Function:
        made = factory.function()
        return (database, other)[number % 2].transact(lambda c: functions.create(c, made, 5))

    answers = factory.at_once([lambda n=n: create(n) for n in range(20)])
    assert sum(isinstance(answer, models.Function) for answer in answers) == 5
    assert {answer.code for answer in answers if isinstance(answer, errors.Forbidden)} == {
        "quota_exceeded"
    }
    with database.read() as connection:
        query = listing.Query(project_id=factory.PROJECT)
        assert len(functions.list_(connection, query)) == 5


def test_a_refused_function_leaves_nothing(database: Database) -> None:
    made = factory.function(runtime_id="unknown")
    with pytest.raises(errors.NotFound):
        database.transact(lambda c: functions.create(c, made))
    with database.read() as connection:
        with pytest.raises(errors.NotFound):
            revisions.get(connection, made.id, 1)


def test_a_private_runtime_is_for_its_project(database: Database) -> None:
    private = models.Runtime(
        id="r", name="mine", image="i", is_public=False, project_id="x", created_at=1.0
    )
    database.transact(lambda c: runtimes.create(c, private))
    theirs = factory.function(runtime_id="r")
    with pytest.raises(errors.NotFound):
        database.transact(lambda c: functions.create(c, theirs))
    own = factory.function("x", runtime_id="r")
    assert database.transact(lambda c: functions.create(c, own)) == own


def test_a_function_is_deleted_with_its_versions_but_not_under_an_alias(
    database: Database,
) -> None:
    made = factory.kept_function(database)
    number = database.transact(
        lambda c: versions.create(c, made.id, factory.PROJECT, now=NOW)
    ).version_number
    alias = models.Alias(
        id="a",
        name="live",
        project_id=factory.PROJECT,
        function_id=made.id,
        function_version=number,
        created_at=NOW,
    )
    database.transact(lambda c: aliases.create(c, alias))
    with pytest.raises(errors.InUse):
        database.transact(lambda c: functions.delete(c, made.id, factory.PROJECT, now=NOW))
    run = factory.running(database, function_id=made.id)
    database.transact(lambda c: aliases.delete(c, "live", factory.PROJECT))
    database.transact(lambda c: functions.delete(c, made.id, factory.PROJECT, now=NOW))
    with database.read() as connection:
        with pytest.raises(errors.NotFound):
            functions.get(connection, made.id)
        with pytest.raises(errors.NotFound):
            versions.get(connection, made.id, number)
        assert revisions.get(connection, made.id, 1) == made.revision, "the run needs it"
    assert factory.find(database, run.id) == run


def test_the_count_is_of_executions_ever_made_of_latest(
    database: Database, other: Database
) -> None:
    made = factory.kept_function(database)
    for number in range(6):
        factory.queued((database, other)[number % 2], function_id=made.id)
    factory.queued(database, function_id=made.id, function_version=1)
    removed = factory.queued(database, function_id=made.id)
    database.write(executions.Remove(removed.id))
    with database.read() as connection:
        assert functions.get(connection, made.id).count == 6
