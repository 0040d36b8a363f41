"""Revisions and packages that nobody needs any more."""

from __future__ import annotations

import pytest

from funcflow import conf, errors, models, references
from funcflow.db import (
    composition_executions,
    compositions,
    executions,
    functions,
    garbage,
    revisions,
    versions,
)
from funcflow.db.engine import Database
from funcflow.stores.memory import MemoryStore
from tests.unit.db import composition_factory, factory

NOW = 1000.0
LATER = NOW + garbage.GRACE + 1


def collect(database: Database, now: float = LATER) -> list[str]:
    removed: list[str] = []
    answer = database.transact(lambda c: garbage.collect(c, removed.append, now))
    assert answer == removed
    return removed


def revise(database: Database, function: models.Function, digest: str) -> None:
    new = factory.revision(digest=digest * 64)
    database.transact(lambda c: functions.new_revision(c, function.id, None, new, now=NOW))


def test_what_latest_and_versions_point_to_stays(database: Database) -> None:
    made = factory.kept_function(database, digest="a" * 64)
    database.transact(lambda c: versions.create(c, made.id, None, now=NOW))
    revise(database, made, "b")
    assert collect(database) == []
    revise(database, made, "c")
    assert collect(database, NOW + 1) == [], "not at once"
    assert collect(database) == ["b" * 64]
    database.transact(lambda c: versions.delete(c, made.id, 1, None, now=NOW))
    assert collect(database) == ["a" * 64]
    database.transact(lambda c: functions.delete(c, made.id, None, now=NOW))
    assert collect(database) == ["c" * 64]


@pytest.mark.parametrize("end", ["settled", "dead"])
def test_open_and_dead_executions_keep_their_revision(database: Database, end: str) -> None:
    made = factory.kept_function(database, digest="a" * 64)
    run = factory.running(database, function_id=made.id)
    database.transact(lambda c: functions.delete(c, made.id, None, now=NOW))
    assert collect(database) == []
    if end == "dead":
        bury = executions.Bury(id=run.id, epoch=1, owner=factory.OWNER, reason="r", now=NOW)
        assert database.write(bury)
        assert collect(database) == [], "it may be redriven"
        assert database.write(executions.Discard(run.id))
    else:
        assert database.write(executions.Cancel(run.id, NOW))
    assert collect(database) == ["a" * 64]
    with database.read() as connection, pytest.raises(errors.NotFound):
        revisions.get(connection, made.id, 1)


def test_a_package_that_another_revision_has_stays(database: Database) -> None:
    made = factory.kept_function(database, digest="a" * 64)
    factory.kept_function(database, digest="a" * 64)
    database.transact(lambda c: functions.delete(c, made.id, None, now=NOW))
    assert collect(database) == []
    with database.read() as connection, pytest.raises(errors.NotFound):
        revisions.get(connection, made.id, 1)


def test_a_store_that_is_away_undoes_the_collection(database: Database) -> None:
    made = factory.kept_function(database, digest="a" * 64)
    database.transact(lambda c: functions.delete(c, made.id, None, now=NOW))

    def away(digest: str) -> None:
        raise errors.BadRequest("no")

    with pytest.raises(errors.BadRequest):
        database.transact(lambda c: garbage.collect(c, away, LATER))
    assert collect(database) == ["a" * 64]


def test_packages_of_refused_functions_go_after_a_while(database: Database) -> None:
    store = MemoryStore(conf.load())
    kept, refused = store.put([b"kept"]), store.put([b"refused"])
    late = store.put([b"late"])
    factory.kept_function(database, digest=kept)
    orphans = garbage.Orphans(database)
    assert orphans.sweep(store.digests(), store.delete, NOW) == 0
    assert orphans.sweep(store.digests(), store.delete, NOW + garbage.GRACE) == 0
    factory.kept_function(database, digest=late)
    assert orphans.sweep(store.digests(), store.delete, LATER) == 1
    assert sorted(store.digests()) == sorted([kept, late])
    with pytest.raises(errors.NotFound):
        store.open(refused)


def test_definitions_stay_as_long_as_something_was_made_of_them(database: Database) -> None:
    made = composition_factory.kept(database)
    done = composition_factory.settled(database, composition_id=made.id)
    new = composition_factory.revision(digest="e" * 64)
    database.transact(lambda c: compositions.new_revision(c, made.id, None, new, now=NOW))

    def collect_definitions(now: float = LATER) -> int:
        return database.transact(lambda c: garbage.collect_compositions(c, now))

    assert collect_definitions() == 0, "its history is made of it"
    assert database.write(composition_executions.Discard(done.id))
    assert collect_definitions(NOW + 1) == 0, "not at once"
    assert collect_definitions() == 1
    with database.read() as connection:
        with pytest.raises(errors.NotFound):
            compositions.revision(connection, made.id, 1)
        assert compositions.revision(connection, made.id, 2).number == 2
    database.transact(lambda c: compositions.delete(c, made.id, None, now=NOW))
    assert collect_definitions() == 1


def test_payloads_stay_as_long_as_their_execution(database: Database) -> None:
    store = MemoryStore(conf.load())
    kept, lost = store.put([b"kept"]), store.put([b"lost"])
    row = composition_factory.settled(database, input=references.to(kept))
    orphans = garbage.Orphans(database)
    for moment in (0.0, garbage.GRACE, garbage.GRACE + 1):
        orphans.sweep(store.digests(), store.delete, moment)
    assert list(store.digests()) == [kept] != [lost]
    assert database.write(composition_executions.Discard(row.id))
    for moment in (LATER, LATER + garbage.GRACE, LATER + garbage.GRACE + 1):
        orphans.sweep(store.digests(), store.delete, moment)
    assert list(store.digests()) == []


def test_a_package_that_is_a_payload_as_well_stays(database: Database) -> None:
    made = factory.kept_function(database, digest="a" * 64)
    row = composition_factory.queued(database, input=references.to("a" * 64))
    database.transact(lambda c: functions.delete(c, made.id, None, now=NOW))
    assert collect(database) == []
    assert database.write(composition_executions.Remove(row.id))


def test_after_an_outage_orphans_are_given_time_anew(database: Database) -> None:
    store = MemoryStore(conf.load())
    store.put([b"about to be referred to"])
    orphans = garbage.Orphans(database)
    assert orphans.sweep(store.digests(), store.delete, NOW) == 0
    assert orphans.sweep(store.digests(), store.delete, NOW + 9 * garbage.GRACE) == 0
