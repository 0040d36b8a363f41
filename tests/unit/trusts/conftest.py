"""Trusts over SQLite, with a driver that can be looked into and cut off."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from funcflow import conf as config
from funcflow import models
from funcflow.db import schema
from funcflow.db.engine import Database
from funcflow.trusts import book, memory

#: Somebody who may lend something.
ANN = models.RequestContext(
    project_id="p", user_id="ann", roles=("member", "reader"), request_id="r", auth_token="secret"
)


@pytest.fixture(scope="package")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database with all tables."""
    path = tmp_path_factory.mktemp("template") / "funcflow.db"
    schema.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def database(template: Path, tmp_path: Path) -> Iterator[Database]:
    shutil.copy(template, tmp_path)
    made = Database(f"sqlite:///{tmp_path}/funcflow.db")
    yield made
    made.close()


@pytest.fixture
def driver() -> memory.MemoryTrusts:
    return memory.MemoryTrusts(config.load())


Make = Callable[..., book.Trusts]


@pytest.fixture
def make(database: Database, driver: memory.MemoryTrusts) -> Make:
    """Trusts of a process, with these options."""
    return lambda **options: _made(database, driver, options)


def _made(database: Database, driver: memory.MemoryTrusts, options: dict[str, Any]) -> book.Trusts:
    return book.Trusts(config.load(trusts=options), database, driver)
