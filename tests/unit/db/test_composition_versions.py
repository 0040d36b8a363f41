"""Versions of compositions."""

from __future__ import annotations

import dataclasses

import pytest

from funcflow import errors, models
from funcflow.db import composition_aliases as aliases
from funcflow.db import composition_versions as versions
from funcflow.db import compositions, listing
from funcflow.db.engine import Database
from tests.unit.db import composition_factory as factory

NOW = 100.0


def change(database: Database, made: models.Composition, digest: str) -> models.Composition:
    new = dataclasses.replace(made.revision, digest=digest * 64)
    return database.transact(lambda c: compositions.new_revision(c, made.id, None, new, now=NOW))


def release(
    database: Database, made: models.Composition, limit: int = 10
) -> models.CompositionVersion:
    return database.transact(
        lambda c: versions.create(c, made.id, factory.PROJECT, now=NOW, limit=limit)
    )


def test_a_version_pins_the_revision(database: Database) -> None:
    made = factory.kept(database)
    first = release(database, made)
    assert (first.version_number, first.revision) == (1, made.revision)
    with pytest.raises(errors.Forbidden, match="not changed"):
        release(database, made)
    changed = change(database, made, "b")
    second = release(database, made)
    assert (second.version_number, second.revision) == (2, changed.revision)
    factory.queued(database, composition_id=made.id, composition_version=2)
    with database.read() as connection:
        assert versions.get(connection, made.id, 1) == first
        counted = dataclasses.replace(second, count=1)
        assert versions.get(connection, made.id, 2, factory.PROJECT) == counted
        assert compositions.get(connection, made.id).latest_version == 2
        query = listing.Query(project_id=factory.PROJECT, sort="version_number:desc")
        assert versions.list_(connection, made.id, query) == [counted, first]


def test_other_projects_see_no_version(database: Database) -> None:
    made = factory.kept(database)
    release(database, made)
    with pytest.raises(errors.NotFound):
        database.transact(lambda c: versions.create(c, made.id, "another", now=NOW))
    with pytest.raises(errors.NotFound):
        database.transact(lambda c: versions.delete(c, made.id, 1, "another", now=NOW))
    with database.read() as connection:
        with pytest.raises(errors.NotFound):
            versions.get(connection, made.id, 1, "another")
        with pytest.raises(errors.NotFound):
            versions.list_(connection, made.id, listing.Query(project_id="another"))


def test_numbers_never_return_and_there_are_only_so_many(database: Database) -> None:
    made = factory.kept(database)
    release(database, made)
    database.transact(lambda c: versions.delete(c, made.id, 1, None, now=NOW))
    assert release(database, made).version_number == 2
    change(database, made, "b")
    with pytest.raises(errors.Forbidden) as caught:
        release(database, made, limit=1)
    assert caught.value.code == "limit_reached"


def test_a_version_in_use_stays(database: Database) -> None:
    made = factory.kept(database)
    for letter in "bc":
        release(database, made)
        change(database, made, letter)
    alias = models.CompositionAlias(
        id="a",
        name="live",
        project_id=factory.PROJECT,
        composition_id=made.id,
        composition_version=1,
        weights={2: 0.5},
        created_at=NOW,
    )
    database.transact(lambda c: aliases.create(c, alias))
    for number in (1, 2):
        with pytest.raises(errors.InUse, match="live"):
            database.transact(
                lambda c, number=number: versions.delete(c, made.id, number, None, now=NOW)
            )
    described = database.transact(
        lambda c: versions.describe(c, made.id, 1, None, description="first", now=NOW + 1)
    )
    assert (described.description, described.updated_at) == ("first", NOW + 1)
