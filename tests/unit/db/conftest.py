"""Every test of the database runs on both kinds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from funcflow.db import schema
from funcflow.db.engine import Database


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite database with all tables."""
    path = tmp_path_factory.mktemp("template") / "funcflow.db"
    schema.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path}/empty.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with all tables."""
    if request.param == "postgresql":
        made = str(request.getfixturevalue("postgres_url"))
        schema.upgrade(made)
        return made
    shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "funcflow.db")
    return f"sqlite:///{tmp_path}/funcflow.db"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    made = Database(url)
    yield made
    made.close()


@pytest.fixture
def other(url: str) -> Iterator[Database]:
    """The same database, as another process sees it."""
    made = Database(url)
    yield made
    made.close()
