"""The database as everybody above sees it."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from funcflow import errors
from funcflow.db import executions, functions, tables
from funcflow.db.engine import Database
from tests.unit.db import factory


def test_a_reader_sees_what_was_committed_since_it_began(database: Database) -> None:
    with database.read() as connection:
        assert executions.counts(connection) == {}
        factory.queued(database)
        assert sum(executions.counts(connection).values()) == 1


def test_readers_are_bounded(url: str) -> None:
    database = Database(url, read_connections=1, patience=0.1)
    with database.read(), pytest.raises(errors.Unavailable):
        database.ping()
    database.ping()
    database.close()


def test_what_a_transaction_raises_undoes_it(database: Database) -> None:
    def fail(connection: sa.Connection) -> None:
        functions.create(connection, factory.function())
        raise errors.Conflict("no")

    with pytest.raises(errors.Conflict, match="no"):
        database.transact(fail)
    with database.read() as connection:
        count = sa.select(sa.func.count()).select_from(tables.revisions)
        assert connection.execute(count).scalar() == 0


def test_what_clashes_is_a_conflict(database: Database) -> None:
    made = factory.kept_function(database)
    with pytest.raises(errors.Conflict):
        database.transact(lambda c: functions.create(c, made))


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_a_parameter_that_cannot_be_kept_is_the_callers_fault(
    database: Database, text: str
) -> None:
    if database.dialect == "sqlite" and "\0" in text:
        pytest.skip("SQLite keeps NUL")
    with pytest.raises(errors.BadRequest), database.read() as connection:
        functions.resolve(connection, text, factory.PROJECT)
    with pytest.raises(errors.BadRequest):
        factory.kept_function(database, name=text)


def test_a_bad_statement_is_not_called_an_outage(database: Database) -> None:
    with pytest.raises(sa.exc.DBAPIError), database.read() as connection:
        connection.exec_driver_sql("SELECT * FROM no_such_table")
    with pytest.raises(sa.exc.DBAPIError):
        database.transact(lambda c: c.exec_driver_sql("SELECT * FROM no_such_table"))


def test_a_secret_in_the_url_is_not_shown() -> None:
    database = Database("postgresql://me:geheim@127.0.0.1:1/x", patience=0.1)
    with pytest.raises(errors.Unavailable) as caught:
        database.ping()
    assert "geheim" not in str(caught.value) + repr(caught.value.__cause__)
    database.close()


def test_sqlite_has_a_row_on_the_disk_once_a_write_returned(sqlite_template: Path) -> None:
    database = Database(f"sqlite:///{sqlite_template}")
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    database.close()
