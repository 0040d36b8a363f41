"""Secrets of projects, as rows."""

from __future__ import annotations

import dataclasses

import pytest

from funcflow import errors, models
from funcflow.db import listing, secrets
from funcflow.db.engine import Database
from tests.unit.db import factory

MINE = models.Secret(
    id="0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11",
    name="db-password",
    project_id=factory.PROJECT,
    sealed="1:k:abc",
    created_at=1.0,
)
THEIRS = dataclasses.replace(
    MINE,
    id="0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a12",
    project_id=factory.OTHER_PROJECT,
    sealed=None,
    barbican="there",
)


@pytest.fixture
def kept(database: Database) -> Database:
    for each in (MINE, THEIRS):
        assert database.transact(lambda c, each=each: secrets.create(c, each, 2)) == each  # type: ignore[misc]
    return database


def test_they_are_found_by_id_and_by_name_in_their_project(kept: Database) -> None:
    with kept.read() as c:
        assert secrets.resolve(c, MINE.id.upper(), factory.PROJECT, factory.PROJECT) == MINE
        assert secrets.resolve(c, "db-password", None, factory.OTHER_PROJECT) == THEIRS
        assert secrets.named(c, factory.PROJECT, {"db-password", "no"}) == {"db-password": MINE}
        assert secrets.list_(c, listing.Query(project_id=factory.PROJECT)) == [MINE]
        assert list(secrets.sealed(c)) == [MINE]
        for ref in (THEIRS.id, "unknown"):
            with pytest.raises(errors.NotFound):
                secrets.resolve(c, ref, factory.PROJECT, factory.PROJECT)


def test_nobody_lists_by_what_is_sealed(kept: Database) -> None:
    query = listing.Query(project_id=factory.PROJECT, filters={"sealed": "has:1"})
    with kept.read() as c, pytest.raises(errors.BadRequest):
        secrets.list_(c, query)


def test_names_are_unique_and_projects_have_so_many(kept: Database) -> None:
    again = dataclasses.replace(MINE, id=factory.PROJECT)
    with pytest.raises(errors.Conflict):
        kept.transact(lambda c: secrets.create(c, again, 2))
    with pytest.raises(errors.Forbidden, match="1 secrets") as caught:
        kept.transact(lambda c: secrets.create(c, again, 1))
    assert caught.value.code == "limit_reached"


def test_values_are_replaced_and_deleted(kept: Database) -> None:
    def change(now: models.Secret) -> models.Secret:
        return dataclasses.replace(now, version=now.version + 1, sealed=None, barbican="b")

    changed = kept.transact(lambda c: secrets.replace(c, MINE.id, change))
    with kept.read() as c:
        assert secrets.resolve(c, MINE.id, None, "") == changed
    kept.transact(lambda c: secrets.delete(c, MINE.id))
    for act in (
        lambda c: secrets.delete(c, MINE.id),
        lambda c: secrets.replace(c, MINE.id, change),
    ):
        with pytest.raises(errors.NotFound):
            kept.transact(act)
