"""Sizes of packages that nobody wrote down."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from funcflow import conf as config
from funcflow import errors, plugins
from funcflow.conductor import sizes
from funcflow.db import schema, tables, usage
from funcflow.db.engine import Database
from tests.unit.db import factory


@pytest.fixture
def database(data_dir: Path) -> Iterator[Database]:
    url = f"sqlite:///{data_dir}/funcflow.db"
    schema.upgrade(url)
    made = Database(url)
    yield made
    made.close()


def counted(database: Database) -> int:
    with database.read() as connection:
        return usage.code_size(connection, factory.PROJECT)


def keep(database: Database, digest: str) -> None:
    """A function as it was before sizes were known."""
    function = factory.kept_function(database)
    at = tables.revisions.c.function_id == function.id
    values = {"digest": digest, "size": 0}
    database.transact(lambda c: c.execute(sa.update(tables.revisions).where(at).values(values)))


def test_what_is_unknown_is_filled_once(database: Database) -> None:
    store: Any = plugins.load("funcflow.stores", "memory")(config.load())
    digests = [store.put([text]) for text in (b"a" * 10, b"b" * 200, b"c" * 3000)]
    for digest in (*digests, "f" * 64):  # of the last one there is nothing
        keep(database, digest)
    assert counted(database) == 0
    one = sizes.Sizes(database, store)
    assert sum(one.fill(2) for _ in range(4)) == 3
    assert counted(database) == 3210
    assert one.fill() == 0


@dataclasses.dataclass
class Away:
    away: bool = True

    def open(self, digest: str) -> Any:
        if self.away:
            raise errors.Unavailable("away")
        raise errors.NotFound("gone")


def test_a_store_that_is_away_is_asked_again(database: Database) -> None:
    keep(database, "a" * 64)
    store = Away()
    one = sizes.Sizes(database, store)  # type: ignore[arg-type]
    for _ in range(2):
        with pytest.raises(errors.Unavailable):
            one.fill()
    store.away = False
    assert one.fill() == 0
