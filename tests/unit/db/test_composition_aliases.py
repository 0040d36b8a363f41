"""Aliases of compositions."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from funcflow import errors, ids, models
from funcflow.db import composition_aliases as aliases
from funcflow.db import composition_versions as versions
from funcflow.db import listing
from funcflow.db.engine import Database
from tests.unit.db import composition_factory as factory

NOW = 100.0


@pytest.fixture
def made(database: Database) -> models.Composition:
    """One with a version."""
    composition = factory.kept(database)
    database.transact(lambda c: versions.create(c, composition.id, None, now=NOW))
    return composition


def keep(
    database: Database, composition: models.Composition, **fields: Any
) -> models.CompositionAlias:
    defaults: dict[str, Any] = {
        "id": ids.new(),
        "name": "live",
        "project_id": factory.PROJECT,
        "composition_id": composition.id,
        "composition_version": 1,
        "created_at": NOW,
    }
    alias = models.CompositionAlias(**(defaults | fields))
    return database.transact(lambda c: aliases.create(c, alias))


def test_what_goes_in_comes_out(database: Database, made: models.Composition) -> None:
    alias = keep(database, made, weights={models.LATEST: 0.25}, description="d")
    with database.read() as connection:
        assert aliases.get(connection, made.id, "live", factory.PROJECT) == alias
        query = listing.Query(project_id=factory.PROJECT)
        assert aliases.list_(connection, made.id, query) == [alias]


def test_names_are_unique_in_a_composition(database: Database, made: models.Composition) -> None:
    keep(database, made)
    with pytest.raises(errors.Conflict, match="live"):
        keep(database, made)
    keep(database, factory.kept(database), composition_version=models.LATEST)


def test_it_points_to_what_there_is(database: Database, made: models.Composition) -> None:
    for wrong in (
        {"composition_version": 2},
        {"weights": {3: 0.1}},
        {"composition_id": "unknown"},
        {"project_id": "another"},
    ):
        with pytest.raises(errors.NotFound):
            keep(database, made, **wrong)


def test_pointing_elsewhere(database: Database, made: models.Composition) -> None:
    alias = keep(database, made)
    changed = database.transact(
        lambda c: aliases.update(
            c, made.id, "live", factory.PROJECT, now=NOW + 1, composition_version=models.LATEST
        )
    )
    assert changed == dataclasses.replace(alias, composition_version=0, updated_at=NOW + 1)
    changed = database.transact(
        lambda c: aliases.update(c, made.id, "live", None, now=NOW, weights={1: 0.5})
    )
    assert (changed.composition_version, changed.weights) == (0, {1: 0.5})
    with pytest.raises(errors.NotFound):
        database.transact(
            lambda c: aliases.update(c, made.id, "live", None, now=NOW, composition_version=9)
        )


def test_other_projects_see_none(database: Database, made: models.Composition) -> None:
    keep(database, made)
    with database.read() as connection:
        with pytest.raises(errors.NotFound):
            aliases.get(connection, made.id, "live", "another")
        with pytest.raises(errors.NotFound):
            aliases.list_(connection, made.id, listing.Query(project_id="another"))
    with pytest.raises(errors.NotFound):
        database.transact(lambda c: aliases.delete(c, made.id, "live", "another"))
    database.transact(lambda c: aliases.delete(c, made.id, "live", factory.PROJECT))
    with database.read() as connection, pytest.raises(errors.NotFound):
        aliases.get(connection, made.id, "live")
