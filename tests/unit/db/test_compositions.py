"""Compositions and their revisions."""

from __future__ import annotations

import dataclasses

import pytest

from funcflow import errors
from funcflow.db import composition_aliases as aliases
from funcflow.db import composition_revisions as revisions
from funcflow.db import composition_versions as versions
from funcflow.db import compositions, listing
from funcflow.db.engine import Database
from funcflow.models import CompositionAlias
from tests.unit.db import composition_factory as factory
from tests.unit.db import factory as function_factory

NOW = 100.0


def test_what_goes_in_comes_out(database: Database) -> None:
    made = factory.kept(database, description="d", name="order")
    other = factory.kept(database, name="order", project_id="another")
    with database.read() as connection:
        assert compositions.get(connection, made.id, factory.PROJECT) == made
        assert compositions.resolve(connection, made.id.upper(), None) == made
        assert compositions.resolve(connection, "order", factory.PROJECT) == made
        assert compositions.resolve(connection, "order", None, "another") == other
        assert compositions.name(connection, made.id) == "order"
        assert compositions.name(connection, "unknown") is None
        assert compositions.revision(connection, made.id, 1) == made.revision
        found = compositions.list_(connection, listing.Query(project_id=factory.PROJECT))
        assert found == [made]
        filtered = listing.Query(project_id=None, filters={"type": "EXPRESS"})
        assert compositions.list_(connection, filtered) == []


def test_other_projects_see_nothing(database: Database) -> None:
    made = factory.kept(database)
    with database.read() as connection:
        for call in (compositions.get, compositions.resolve):
            with pytest.raises(errors.NotFound):
                call(connection, made.id, "another")
        with pytest.raises(errors.NotFound):
            compositions.resolve(connection, made.name, "another")
        with pytest.raises(errors.NotFound):
            compositions.revision(connection, made.id, 2)
    for change in (
        lambda c: compositions.update(c, made.id, "another", now=NOW, name="mine"),
        lambda c: compositions.new_revision(c, made.id, "another", made.revision, now=NOW),
        lambda c: compositions.delete(c, made.id, "another", now=NOW),
    ):
        with pytest.raises(errors.NotFound):
            database.transact(change)


def test_names_are_unique_in_a_project(database: Database, other: Database) -> None:
    made = [factory.composition(name="order") for _ in range(8)]
    answers = function_factory.at_once(
        [
            lambda n=n, each=each: (database, other)[n % 2].transact(
                lambda c: compositions.create(c, each)
            )
            for n, each in enumerate(made)
        ]
    )
    kept = [answer for answer in answers if not isinstance(answer, Exception)]
    assert len(kept) == 1
    assert {type(answer) for answer in answers if isinstance(answer, Exception)} == {
        errors.Conflict
    }
    another = factory.kept(database)
    with pytest.raises(errors.Conflict, match="order"):
        database.transact(lambda c: compositions.update(c, another.id, None, now=NOW, name="order"))
    renamed = database.transact(
        lambda c: compositions.update(c, kept[0].id, None, now=NOW, name="orders")
    )
    assert (renamed.name, renamed.updated_at) == ("orders", NOW)
    same = database.transact(
        lambda c: compositions.update(c, renamed.id, None, now=NOW, name="orders", description="x")
    )
    assert (same.name, same.description) == ("orders", "x")


def test_no_more_than_allowed(database: Database, other: Database) -> None:
    answers = function_factory.at_once(
        [
            lambda n=n: (database, other)[n % 2].transact(
                lambda c: compositions.create(c, factory.composition(), 3)
            )
            for n in range(10)
        ]
    )
    refused = [answer for answer in answers if isinstance(answer, errors.Forbidden)]
    assert len(refused) == 7
    assert {exc.code for exc in refused} == {"limit_reached"}


def test_revisions_are_immutable_and_numbered(database: Database) -> None:
    made = factory.kept(database)
    new = factory.revision(definition="{}", digest="e" * 64, type="EXPRESS")
    second = database.transact(lambda c: compositions.new_revision(c, made.id, None, new, now=NOW))
    expected = dataclasses.replace(new, composition_id=made.id, number=2, created_at=NOW)
    assert second.revision == expected
    again = database.transact(lambda c: compositions.new_revision(c, made.id, None, new, now=NOW))
    assert again == second, "nothing changed"
    with database.read() as connection:
        assert revisions.get(connection, made.id, 1) == made.revision


def test_deleting(database: Database) -> None:
    made = factory.kept(database)
    database.transact(lambda c: versions.create(c, made.id, None, now=NOW))
    alias = CompositionAlias(
        id="a",
        name="live",
        project_id=factory.PROJECT,
        composition_id=made.id,
        composition_version=1,
        created_at=NOW,
    )
    database.transact(lambda c: aliases.create(c, alias))
    with pytest.raises(errors.InUse, match="live"):
        database.transact(lambda c: compositions.delete(c, made.id, None, now=NOW))
    database.transact(lambda c: aliases.delete(c, made.id, "live", None))
    gone = database.transact(lambda c: compositions.delete(c, made.id, None, now=NOW))
    assert gone.id == made.id
    with database.read() as connection:
        with pytest.raises(errors.NotFound):
            compositions.get(connection, made.id)
        assert revisions.get(connection, made.id, 1) == made.revision, "executions need it"
