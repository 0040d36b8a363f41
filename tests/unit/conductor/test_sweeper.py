"""Housekeeping, step by step, on a real database and board."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from funcflow import conf as config
from funcflow import plugins
from funcflow.conductor import sweeper
from funcflow.db import schema
from funcflow.db.engine import Database
from funcflow.jobboards import base as board_base
from tests.unit.db import factory

KEPT = 3600.0


@pytest.fixture
def conf(data_dir: Path) -> Any:
    return config.load(default={"data_dir": str(data_dir)})


@pytest.fixture
def database(conf: Any) -> Iterator[Database]:
    schema.upgrade(config.database_url(conf))
    made = Database(config.database_url(conf))
    yield made
    made.close()


@pytest.fixture
def board(conf: Any) -> Iterator[board_base.Board]:
    made = plugins.load("funcflow.jobboards", "embedded")(conf)
    made.start(board_base.Listener(), serve=True)
    made.join(board_base.Member("me"))
    yield made
    made.stop()


def test_old_rows_go_as_fast_as_they_come(
    conf: Any, database: Database, board: board_base.Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeper, "BATCH", 2)
    now = time.time()
    old = [factory.running(database) for _ in range(5)]
    young = factory.running(database)
    for run in old:
        assert database.write(factory.settle(run, now=now - 2 * KEPT))
    assert database.write(factory.settle(young, now=now))
    times = sweeper.Times(interval=60, grace=60, retention=KEPT, window=10)
    store = plugins.load("funcflow.stores", "memory")(conf)
    # What runs and waits here is no business of this step.
    one = sweeper.Sweeper(board, database, None, None, store, times, None)  # type: ignore[arg-type]

    one.purge()

    assert [run.id for run in old if factory.find(database, run.id)] == []
    assert factory.find(database, young.id) is not None
