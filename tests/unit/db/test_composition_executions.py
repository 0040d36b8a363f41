"""Queries for executions of compositions, and what they cost when very many wait."""

from __future__ import annotations

import dataclasses
import re

import pytest
import sqlalchemy as sa

from funcflow import errors, ids
from funcflow.db import bulk, listing
from funcflow.db import composition_executions as executions
from funcflow.db import composition_rows as rows
from funcflow.db.engine import Database
from funcflow.states import CompositionState
from tests.unit.db import composition_factory as factory
from tests.unit.db import factory as function_factory
from tests.unit.db.composition_factory import NOW, OWNER, SIGNAL, append

MANY = 20_000
SHARDS = range(8)
#: What plans call reading all rows, or a whole index.
WHOLE = re.compile(r"Seq Scan on composition_executions|SCAN (?:composition_\w+|e)\b")


def test_other_projects_see_nothing(database: Database) -> None:
    row = factory.queued(database)
    with database.read() as connection:
        assert executions.get(connection, row.id, factory.PROJECT).id == row.id
        assert executions.find(connection, "unknown") is None
        for asked in ((row.id, "another"), ("unknown", None)):
            with pytest.raises(errors.NotFound):
                executions.get(connection, *asked)


def test_lists_show_no_payloads_and_no_children_of_maps(database: Database) -> None:
    first = factory.settled(database, input="1", name="one")
    second = factory.queued(database, input="2", name="two", parent_id=first.id, parent_command=9)
    children = [
        factory.queued(
            database,
            parent_id=first.id,
            parent_command=n,
            map_state="M",
            map_run="run",
            map_index=n,
        )
        for n in range(3)
    ]
    query = listing.Query(project_id=factory.PROJECT)
    with database.read() as connection:
        found = executions.list_(connection, query)
        assert [row.id for row in found] == [first.id, second.id]
        assert [row.input for row in found] == [None, None]
        of_run = dataclasses.replace(query, filters={"parent_id": first.id}, sort="map_index:desc")
        found = executions.list_(connection, of_run, map_run="run")
        assert [row.map_index for row in found] == [2, 1, 0]
        assert executions.list_(connection, of_run, map_run="another") == []
        failed = dataclasses.replace(query, filters={"state": "failed", "name": "has:n"})
        assert [row.id for row in executions.list_(connection, failed)] == [first.id]
        assert executions.list_(connection, listing.Query(project_id="another")) == []
        started = executions.children(connection, first.id)
        assert [row.id for row in started] == [*(row.id for row in children), second.id]
        assert executions.map_counts(connection, first.id, "run") == {CompositionState.QUEUED: 3}
        with pytest.raises(errors.BadRequest):
            executions.list_(connection, dataclasses.replace(query, filters={"seed": "5eed"}))


def test_among(database: Database) -> None:
    made = [factory.queued(database, input="1") for _ in range(3)]
    with database.read() as connection:
        found = executions.among(connection, [made[2].id, "unknown", made[0].id])
        assert executions.among(connection, []) == []
    assert {row.id for row in found} == {made[0].id, made[2].id}
    assert found[0].input == "1"


def test_what_should_have_a_job(database: Database) -> None:
    held = factory.held(database)
    posted = factory.queued(database, updated_at=NOW - 1, shard=1)
    others = [factory.queued(database, posted=False), factory.parked(database)]
    factory.settled(database)
    with database.read() as connection:
        found = executions.open_rows(connection, NOW + 1, [0, 1])
        assert [row.id for row in found] == [held.id, posted.id]
        assert executions.open_rows(connection, NOW + 1, [2]) == []
        assert executions.open_rows(connection, NOW - 1, [0, 1]) == []
        owned = executions.running_owned_by(connection, [OWNER, "another"])
        assert [row.id for row in owned] == [held.id]
        assert executions.counts(connection) == {
            (factory.PROJECT, CompositionState.QUEUED): 2,
            (factory.PROJECT, CompositionState.RUNNING): 1,
            (factory.PROJECT, CompositionState.WAITING): 1,
            (factory.PROJECT, CompositionState.FAILED): 1,
        }
    assert others


def test_projects_take_turns(database: Database) -> None:
    for n in range(20):
        factory.queued(database, posted=False, created_at=NOW + n)
    small = [
        factory.queued(database, posted=False, created_at=NOW + 50, project_id="small", shard=1),
        factory.parked(database, NOW + 60, project_id="small"),
    ]
    with database.read() as connection:
        found = executions.due(connection, NOW + 100, 6, [0, 1])
    assert {row.id for row in small} < {row.id for row in found}
    assert [row.project_id for row in found[:4]].count("small") == 2
    assert len(found) == 6


def test_strays_are_what_nobody_waits_for(database: Database) -> None:
    waits, dead = factory.parked(database), factory.dead(database)
    good = factory.settled(database, CompositionState.SUCCEEDED)
    bad = [
        factory.settled(database, state)
        for state in (CompositionState.FAILED, CompositionState.ABORTED)
    ]
    children, functions = {}, {}
    for parent_id in (waits.id, dead.id, good.id, bad[0].id, bad[1].id, "gone"):
        asked = {"parent_id": parent_id, "parent_command": 1}
        children[parent_id] = factory.queued(database, **asked).id
        functions[parent_id] = function_factory.queued(database, **asked).id
    factory.settled(database, parent_id=bad[0].id, parent_command=2)
    factory.queued(database)
    function_factory.queued(database)
    stray = (bad[0].id, bad[1].id, "gone")
    with database.read() as connection:
        found = executions.strays(connection, 9)
        assert set(found[0]) == {functions[key] for key in stray}
        assert set(found[1]) == {children[key] for key in stray}
        assert [len(ids_) for ids_ in executions.strays(connection, 2)] == [2, 2]


def test_a_log_in_the_order_of_its_numbers(database: Database) -> None:
    row = factory.held(database)
    texts = [f'{{"n": {n}}}' for n in range(300)]
    assert database.write(append(row, *texts))
    assert factory.log(database, row.id) == texts


@pytest.fixture
def crowd(database: Database) -> Database:
    """Very many wait: most for a time far away, some for a word."""
    columns = {**rows.KINDS}
    insert = bulk.Statement(
        f"INSERT INTO composition_executions AS e ({', '.join(columns)})"
        f" SELECT {', '.join(f'v.{name}' for name in columns)} FROM v WHERE true",
        **columns,
    )
    waiting = factory.execution(state=CompositionState.WAITING, wake_at=NOW + 1e6)
    whole = dict(zip(columns, rows.from_execution(waiting, posted=False), strict=True))

    def fill(connection: sa.Connection) -> None:
        cursor = connection.connection.cursor()
        for start in range(0, MANY, 10_000):
            made = []
            for n in range(start, start + 10_000):
                key = ids.new()
                own = {"id": key, "name": key, "shard": n % 8, "project_id": f"p{n % 20}"}
                if n % 10 == 0:
                    own["wake_at"] = None
                made.append(tuple((whole | own).values()))
            insert.run(cursor, connection.dialect.name, made)
        cursor.close()

    database.transact(fill)
    with database.read() as connection:
        connection.execute(sa.text("ANALYZE"))
    return database


def test_very_many_that_wait_cost_nothing(crowd: Database) -> None:
    mine = factory.parked(crowd, NOW + 5, shard=3, project_id="p3")
    told = factory.held(crowd)
    assert crowd.write(executions.Deliver(told.id, (SIGNAL,), NOW))
    statements = Statements(crowd)
    with crowd.read() as connection:
        assert executions.due(connection, NOW, 500, SHARDS) == []
        assert [row.id for row in executions.due(connection, NOW + 5, 500, SHARDS)] == [mine.id]
        assert executions.told(connection, OWNER) == [told.id]
        assert len(executions.due(connection, NOW + 2e6, 500, SHARDS)) == 500
        held = executions.open_rows(connection, NOW + 9, SHARDS)
        assert [row.id for row in held] == [told.id]
        assert executions.running_owned_by(connection, [OWNER]) == held
        assert executions.strays(connection, 9) == ([], [])
    plans = statements.plans()
    assert len(plans) >= 6
    for plan in plans:
        assert not WHOLE.search(plan), plan


class Statements:
    """Notes what readers execute from now on."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._noted: dict[str, object] = {}
        sa.event.listen(database._readers, "before_cursor_execute", self._note)

    def _note(
        self, _c: object, _cursor: object, statement: str, parameters: object, *_rest: object
    ) -> None:
        self._noted[statement] = parameters

    def plans(self) -> list[str]:
        """How the database executes each of them."""
        sa.event.remove(self._database._readers, "before_cursor_execute", self._note)
        explain = "EXPLAIN" if self._database.dialect == "postgresql" else "EXPLAIN QUERY PLAN"
        with self._database.read() as connection:
            return [
                "\n".join(
                    " ".join(map(str, row))
                    for row in connection.exec_driver_sql(f"{explain} {statement}", parameters)  # type: ignore[arg-type]
                )
                for statement, parameters in self._noted.items()
            ]
