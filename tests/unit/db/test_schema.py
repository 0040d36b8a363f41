"""Migrations: from nothing, from before, and many at once."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import autogenerate, migration

from funcflow import errors
from funcflow.db import (
    composition_tables,
    engine,
    functions,
    garbage,
    rows,
    schema,
    shares,
    tables,
    trigger_tables,
)
from funcflow.db.engine import Database
from tests.unit.db import factory


def test_the_newest_migration_is_the_one_the_code_knows() -> None:
    assert schema.head() == tables.REVISION


def test_the_migrations_make_the_tables(empty_url: str) -> None:
    assert schema.current(empty_url) is None
    assert schema.upgrade(empty_url) == tables.REVISION
    assert schema.current(empty_url) == tables.REVISION
    with engine.exclusive(empty_url, 1) as connection:
        context = migration.MigrationContext.configure(connection)
        assert autogenerate.compare_metadata(context, trigger_tables.metadata) == []
        for table in (tables.executions, composition_tables.composition_executions):
            found = sa.inspect(connection).get_indexes(table.name)
            where = f"{connection.dialect.name}_where"
            made = {
                index["name"]: where in index.get("dialect_options", {})
                for index in found
                if not index.get("duplicates_constraint")
            }
            meant = {
                str(index.name): index.dialect_options[connection.dialect.name]["where"] is not None
                for index in table.indexes
            }
            assert made == meant


def test_a_database_that_is_up_to_date_is_left_alone(url: str) -> None:
    assert schema.upgrade(url) == tables.REVISION


def test_a_used_database_of_the_first_revision_is_upgraded(empty_url: str) -> None:
    assert schema.upgrade(empty_url, "0001") == "0001"
    with engine.exclusive(empty_url, 1) as connection:
        _fill_the_first(connection)
    stale = Database(empty_url)
    with pytest.raises(errors.ConfigError, match="0001") as caught:
        stale.check_schema()
    assert "funcflow db upgrade" in caught.value.hint
    assert schema.upgrade(empty_url) == tables.REVISION
    stale.check_schema()
    with stale.read() as connection:
        function = functions.get(connection, "f")
        assert (function.count, function.revision.number) == (2, 2)
    removed: list[str] = []
    stale.transact(lambda c: garbage.collect(c, removed.append))
    stale.close()
    assert removed == ["b" * 64], "the revision that nothing points to, and its package"


def test_shares_of_functions_stay(empty_url: str) -> None:
    assert schema.upgrade(empty_url, "0010") == "0010"
    with engine.exclusive(empty_url, 1) as connection:
        for statement in (
            "INSERT INTO functions (id, description, project_id, latest_version, revision,"
            " created_at) VALUES ('f', '', 'p', 0, 1, 1)",
            "INSERT INTO shares (id, function_id, project_id, target_kind, target_id, permission,"
            " function_version, created_at) VALUES ('s', 'f', 'p', 'all', '', 'read', 2, 1)",
        ):
            connection.execute(sa.text(statement))
    schema.upgrade(empty_url)
    database = Database(empty_url)
    with database.read() as connection:
        found = shares.get(connection, "s", "function", "f")
    database.close()
    assert (found.target_kind, found.permission, found.version, found.alias) == (
        "all", "read", 2, None,
    )  # fmt: skip


def _fill_the_first(connection: sa.Connection) -> None:
    """As the code of that time did."""
    for number, digest in ((1, "a" * 64), (2, "a" * 64), (3, "b" * 64)):
        connection.execute(
            sa.text(
                "INSERT INTO revisions (function_id, number, project_id, code, digest, entry,"
                " environment, cpu, memory_size, timeout, concurrency, delivery, network,"
                " created_at) VALUES ('f', :number, 'p', '{}', :digest, 'main.main', '{}', 1, 1,"
                " 1, 1, 'at-least-once', :no, 1)"
            ),
            {"number": number, "digest": digest, "no": False},
        )
    connection.execute(
        sa.text(
            "INSERT INTO functions (id, name, description, project_id, latest_version, revision,"
            " created_at) VALUES ('f', 'n', '', 'p', 1, 2, 1)"
        )
    )
    connection.execute(
        sa.text(
            "INSERT INTO versions (id, function_id, version_number, description, project_id,"
            " revision, created_at) VALUES ('v', 'f', 1, '', 'p', 1, 1)"
        )
    )
    values = factory.execution(function_id="f")
    for execution_id in ("e1", "e2"):
        row = dict(zip(rows.KINDS, rows.from_execution(values, True), strict=True))
        for name in ("parent_id", "parent_command", "trust_id", "callback", "user_id", "hidden"):
            del row[name]
        connection.execute(sa.insert(tables.executions).values(row | {"id": execution_id}))


def test_of_many_upgrades_at_once_one_does_it(empty_url: str) -> None:
    script = "import sys; from funcflow.db import schema; print(schema.upgrade(sys.argv[1]))"
    processes = [
        subprocess.Popen([sys.executable, "-c", script, empty_url], stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    answers = [process.communicate(timeout=60)[0].decode().strip() for process in processes]
    assert answers == [tables.REVISION] * 4


def test_a_newer_database_is_not_touched(url: str) -> None:
    with engine.exclusive(url, 1) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(errors.ConfigError, match="9999"):
        schema.upgrade(url)
    database = Database(url)
    with pytest.raises(errors.ConfigError, match="9999"):
        database.check_schema()
    database.close()


def test_an_empty_database_is_told_from_a_missing_one(empty_url: str) -> None:
    database = Database(empty_url)
    with pytest.raises(errors.ConfigError, match="none"):
        database.check_schema()
    database.close()
    away = "postgresql://nobody@127.0.0.1:1/nothing"
    with pytest.raises(errors.Unavailable):
        schema.upgrade(away)
    database = Database(away, patience=0.1)
    with pytest.raises(errors.Unavailable):
        database.check_schema()
    with pytest.raises(errors.Unavailable):
        database.transact(lambda connection: None)
    database.close()


def test_an_upgrade_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_UPGRADE", 0.05)
    holder = sqlite3.connect(tmp_path / "funcflow.db", isolation_level=None)
    holder.execute("PRAGMA journal_mode=WAL")
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(errors.Unavailable, match="locked"):
        schema.upgrade(f"sqlite:///{tmp_path}/funcflow.db")
    holder.close()


def test_checking_the_schema_does_not_import_alembic() -> None:
    script = "import sys, funcflow.db.engine; print('alembic' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert answer.stdout.strip() == b"False"


@pytest.mark.parametrize("url", ["nonsense", "mysql://h/d", "sqlite://", "sqlite:///:memory:", ""])
def test_a_url_that_cannot_be_used_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(errors.ConfigError) as caught:
        Database(url)
    assert not re.search("secret", str(caught.value))
