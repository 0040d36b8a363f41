"""Deploying below the API: limits hold whoever comes at the same time."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from funcflow import conf as config
from funcflow import deploy, errors, models
from funcflow.db import functions, listing, runtimes, schema
from funcflow.db.engine import Database
from funcflow.stores.memory import MemoryStore

CONTEXT = models.RequestContext(project_id="p", request_id="req-1")
SOURCE = deploy.Wish(name="f", runtime="python3", source="def main():\n    pass\n")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path}/db"
    schema.upgrade(url)
    made = Database(url)
    made.transact(lambda connection: runtimes.ensure_defaults(connection, "p"))
    yield made
    made.close()


def deployer(database: Database, **limits: object) -> deploy.Deployer:
    conf = config.load(limits=limits)
    return deploy.Deployer(conf, database, MemoryStore(conf))


def count(database: Database) -> int:
    with database.read() as connection:
        return len(functions.list_(connection, listing.Query(project_id="p")))


def test_the_limit_of_functions_holds_in_a_race(database: Database) -> None:
    """Of many at once exactly as many succeed as there is room for; room comes back."""
    made = deployer(database, max_functions=3)
    outcomes: list[object] = []

    def create() -> None:
        try:
            outcomes.append(made.create(CONTEXT, SOURCE))
        except errors.Forbidden as exc:
            outcomes.append(exc.code)

    threads = [threading.Thread(target=create) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    created = [outcome for outcome in outcomes if isinstance(outcome, models.Function)]
    assert (len(created), outcomes.count("limit_reached"), count(database)) == (3, 9, 3)
    database.transact(lambda connection: functions.delete(connection, created[0].id, "p", now=1.0))
    made.create(CONTEXT, SOURCE)
    with pytest.raises(errors.Forbidden):
        made.create(CONTEXT, SOURCE)


def test_concurrent_changes_each_make_a_revision(database: Database) -> None:
    """No change is lost, no number is used twice."""
    made = deployer(database)
    function = made.create(CONTEXT, SOURCE)
    numbers: list[int] = []

    def change(seconds: int) -> None:
        wish = deploy.Wish(timeout=float(seconds))
        numbers.append(made.update(CONTEXT, function, wish).revision.number)

    threads = [threading.Thread(target=change, args=(n,)) for n in range(10, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(2, 12))


def test_nothing_changes_without_a_change(database: Database) -> None:
    """The same settings again are the same revision."""
    made = deployer(database)
    function = made.create(CONTEXT, SOURCE)
    same = deploy.Wish(timeout=5.0, entry="main.main", source=SOURCE.source)
    assert made.update(CONTEXT, function, same).revision == function.revision
    renamed = made.update(CONTEXT, function, deploy.Wish(name="g"))
    assert (renamed.name, renamed.revision.number) == ("g", 1)


def test_an_entry_names_the_module_of_a_source(database: Database) -> None:
    """The one file of the package is what the entry's first part says."""
    conf = config.load()
    store = MemoryStore(conf)
    made = deploy.Deployer(conf, database, store)
    wish = deploy.Wish(runtime="nodejs", source="exports.run = () => 1\n", entry="index.run")
    function = made.create(CONTEXT, wish)
    assert function.revision.digest is not None
    with store.open(function.revision.digest) as file:
        assert zipfile.ZipFile(io.BytesIO(file.read())).namelist() == ["index.js"]


def test_code_of_another_project_is_not_seen(database: Database) -> None:
    """A private runtime of another project is as unknown as one that is not there."""
    private = models.Runtime(
        id="00000000-0000-7000-8000-000000000000", name="own", image="x/python3",
        is_public=False, project_id="q", created_at=1.0,
    )  # fmt: skip
    database.transact(lambda connection: runtimes.create(connection, private))
    for reference in ("own", private.id):
        with pytest.raises(errors.NotFound):
            deployer(database).create(CONTEXT, deploy.Wish(runtime=reference, source="x"))
