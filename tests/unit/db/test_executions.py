"""Executions in the database, and the queries for them."""

from __future__ import annotations

import dataclasses

import pytest
import sqlalchemy as sa

from funcflow import errors, ids, models
from funcflow.db import executions, listing
from funcflow.db.engine import Database
from funcflow.states import State
from tests.unit.db import factory

OWNER = factory.OWNER
NOW = factory.NOW


def test_every_field_comes_back_as_it_went_in(database: Database) -> None:
    error = models.FunctionError(type="ValueError", message="no \0 \ud800", trace=("a", "b"))
    usage = models.Usage(
        queue=0.1, startup=0.2, run=0.3, cpu=0.25, memory_peak=2**40, worker="w", cold=True
    )
    made = factory.execution(
        function_version=3,
        function_alias="live",
        revision=7,
        shard=5,
        description="d",
        sync=False,
        state=State.RUNNING,
        input='{"a": "ü\u2028"}',
        output="[1]",
        error=error,
        reason="r",
        attempts=2,
        epoch=2**60,
        owner="o",
        not_before=NOW,
        expires_at=NOW + 0.1,
        idempotency_key="k",
        request_id="req",
        traceparent="t",
        usage=usage,
        created_at=NOW,
        started_at=NOW + 1,
        finished_at=NOW + 2,
        updated_at=NOW + 3,
    )
    assert database.write(executions.Insert(made, True)) == executions.Inserted(made, True)
    assert factory.find(database, made.id) == made


def test_a_run_from_insert_to_outcome(database: Database) -> None:
    made = factory.queued(database, input="{}")
    start = executions.Start(id=made.id, epoch=5, owner=OWNER, now=NOW)
    started = database.write(start)
    assert started == dataclasses.replace(
        made,
        state=State.RUNNING,
        attempts=1,
        epoch=5,
        owner=OWNER,
        started_at=NOW,
        updated_at=NOW,
    )
    usage = models.Usage(run=0.5, cold=True, worker="w")
    logs = (models.LogChunk("stdout", "hi", NOW, 0), models.LogChunk("stderr", "oh", NOW, 1))
    op = factory.settle(started, output="42", usage=usage, logs=logs, now=NOW + 1)
    assert database.write(op)
    settled = factory.find(database, made.id)
    assert settled == dataclasses.replace(
        started,
        state=State.SUCCEEDED,
        output="42",
        usage=usage,
        finished_at=NOW + 1,
        updated_at=NOW + 1,
    )
    with database.read() as connection:
        assert executions.logs(connection, made.id) == list(logs)
        assert executions.logs(connection, made.id, after_seq=0) == [logs[1]]


def test_unposted_are_fair_between_projects(database: Database) -> None:
    for place in range(20):
        made = factory.execution(not_before=float(place), project_id="busy", shard=place % 2)
        database.write(executions.Insert(made, False))
    late = factory.execution(not_before=50.0, project_id="quiet")
    database.write(executions.Insert(late, False))
    database.write(executions.Insert(factory.execution(shard=2), False))
    with database.read() as connection:
        rows = executions.unposted(connection, 60.0, 4, [0, 1])
        assert [row.not_before for row in rows] == [0.0, 50.0, 1.0, 2.0]
        assert rows[1].id == late.id
        assert len(executions.unposted(connection, 60.0, 99, [1])) == 10
    database.write(executions.MarkPosted([row.id for row in rows], True))
    with database.read() as connection:
        rest = executions.unposted(connection, 60.0, 99, range(8))
        assert not {row.id for row in rows} & {row.id for row in rest}
        assert [row.id for row in executions.open_rows(connection, 9e9, [0])][-1] == late.id
    database.write(executions.MarkPosted([late.id], False))
    with database.read() as connection:
        assert late.id in {row.id for row in executions.unposted(connection, 60.0, 99, [0])}


def test_sweepers_queries(database: Database) -> None:
    soon = factory.queued(database, expires_at=10.0, input="large")
    run = factory.running(database, expires_at=10.0, shard=3)
    with database.read() as connection:
        (expired,) = executions.expired(connection, 10.0, 9)
        assert (expired.id, expired.input) == (soon.id, None)
        assert executions.expired(connection, 9.9, 9) == []
        assert [r.id for r in executions.running_owned_by(connection, [OWNER, "x"])] == [run.id]
        assert executions.running_owned_by(connection, ["x"]) == []
        assert [row.id for row in executions.open_rows(connection, 9e9, [3])] == [run.id]
        assert executions.open_rows(connection, 1.0, [0, 3]) == []
        assert executions.counts(connection) == {
            (factory.PROJECT, State.QUEUED): 1,
            (factory.PROJECT, State.RUNNING): 1,
        }


def test_another_projects_execution_is_not_found(database: Database) -> None:
    made = factory.queued(database)
    with database.read() as connection:
        assert executions.get(connection, made.id, factory.PROJECT).id == made.id
        assert executions.get(connection, made.id).id == made.id
        with pytest.raises(errors.NotFound):
            executions.get(connection, made.id, factory.OTHER_PROJECT)
        with pytest.raises(errors.NotFound):
            executions.get(connection, ids.new())


def test_the_list_uses_the_index_of_dead_letters(database: Database) -> None:
    made = factory.dead(database)
    factory.queued(database)
    query = listing.Query(project_id=factory.PROJECT, filters={"state": "dead"})
    seen: list[str] = []
    with database.read() as connection:
        sa.event.listen(
            connection, "before_cursor_execute", lambda c, k, sql, *rest: seen.append(sql)
        )
        assert [row.id for row in executions.list_(connection, query)] == [made.id]
    assert "state = 'dead'" in seen[-1]


def test_logs_keep_what_a_database_cannot(database: Database) -> None:
    chunks = (models.LogChunk("stdout", "a\0b\ud800c", NOW, 1),)
    op = executions.AppendLogs("e", chunks)
    database.write(op)
    database.write(op)
    with database.read() as connection:
        (found,) = executions.logs(connection, "e")
    assert found.text == "a\ufffdb?c"
