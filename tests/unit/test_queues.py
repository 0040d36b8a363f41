"""Queues are bounded, of each project and of all together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from funcflow import conf, errors
from funcflow import queues as queues_module
from funcflow.db import executions, schema
from funcflow.db.engine import Database
from funcflow.queues import Queues
from tests.unit.db import factory


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path}/funcflow.db"
    schema.upgrade(url)
    made = Database(url)
    yield made
    made.close()


def queues(database: Database, folder: Path, project: int, all_: int) -> Queues:
    settings = conf.load(
        default={"data_dir": str(folder)},
        conductor={"max_queued_per_project": project, "max_queued": all_},
    )
    return Queues(settings, database, "function")


def fill(database: Database, project: str, count: int) -> None:
    for _ in range(count):
        made = factory.execution(project_id=project)
        database.write(executions.Insert(made, False))


def test_a_project_has_its_share(database: Database, tmp_path: Path) -> None:
    fill(database, "a", 3)
    full = queues(database, tmp_path, 3, 100)
    with pytest.raises(errors.TooMany, match="3 executions of the project"):
        full.check("a")
    full.check("b")


def test_all_projects_share_what_there_is(database: Database, tmp_path: Path) -> None:
    fill(database, "a", 2)
    fill(database, "b", 2)
    full = queues(database, tmp_path, 3, 4)
    with pytest.raises(errors.TooMany, match="4 executions of all projects"):
        full.check("c")


def test_what_was_accepted_since_counts(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also before the database has it: a burst is as bounded as a trickle."""
    monkeypatch.setattr(queues_module, "AGE", 1000.0)
    full = queues(database, tmp_path, 5, 100)
    for _ in range(4):
        full.check("a")
    with pytest.raises(errors.TooMany):
        full.check("a", more=2)


def test_kinds_are_counted_apart(database: Database, tmp_path: Path) -> None:
    fill(database, "a", 3)
    settings = conf.load(
        default={"data_dir": str(tmp_path)}, conductor={"max_queued_per_project": 3}
    )
    Queues(settings, database, "composition").check("a")
