"""Workflows that tasks wait for: from the wish to start one until its end was told.

Written by the performer of the tasks, seen to by :mod:`funcflow.conductor.workflows`, hastened by
the API when Mistral says that something happened. A claim is a time until which nobody else
touches a run, and a compare-and-set on the time before: whoever was too slow changes nothing.
Changes inside ``Database.transact``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from funcflow.db import workflow_tables
from funcflow.models.workflows import Run, Stage, Wanted

_t = workflow_tables.workflow_runs


def ask(connection: sa.Connection, runs: Sequence[Run]) -> None:
    """Keep runs that are to be started. Those that are there already are left alone."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    for run in runs:
        connection.execute(insert(_t).values(_row(run)).on_conflict_do_nothing())


def find(connection: sa.Connection, run_id: str) -> Run | None:
    row = connection.execute(sa.select(_t).where(_t.c.id == run_id)).first()
    return None if row is None else _to_run(row)


def due(connection: sa.Connection, now: float, limit: int) -> list[Run]:
    """Those whose time has come, and that nobody has claimed; longest first."""
    query = sa.select(_t).where(_t.c.due_at <= now).order_by(_t.c.due_at).limit(limit)
    return [_to_run(row) for row in connection.execute(query)]


def claim(connection: sa.Connection, runs: Sequence[Run], until: float) -> list[Run]:
    """Those that are ours until then, as they are now. The attempt is counted before it is made."""
    changes = {"due_at": until, "attempts": _t.c.attempts + 1}
    mine = [run for run in runs if _change(connection, run, changes)]
    return [dataclasses.replace(run, due_at=until, attempts=run.attempts + 1) for run in mine]


def change(connection: sa.Connection, run: Run, **values: Any) -> bool:
    """Change a run that is still as it was read; False: it is not."""
    return _change(connection, run, values)


def over(connection: sa.Connection, run: Run) -> bool:
    """Forget a run that is still as it was read; False: it is not."""
    return connection.execute(sa.delete(_t).where(*_same(run))).rowcount == 1


def stop(connection: sa.Connection, execution_id: str, command: int, now: float) -> None:
    """Nobody waits for it any more. One that is being started is stopped when that is over: at
    the end of the claim at the latest."""
    starting = sa.and_(_t.c.stage == Stage.STARTING.value, _t.c.due_at > now)
    connection.execute(
        sa.update(_t)
        .where(
            _t.c.execution_id == execution_id,
            _t.c.command == command,
            _t.c.stage != Stage.STOPPING.value,
        )
        .values(
            stage=Stage.STOPPING.value,
            due_at=sa.case((starting, _t.c.due_at), else_=now),
            wanted=None,
        )
    )


def started(connection: sa.Connection, run_id: str, now: float) -> bool:
    """It was started by somebody whose claim is over, or who was to start it no more: have it
    stopped at once if it is to be. False: it is forgotten already."""
    mine = _t.c.id == run_id
    stopping = sa.update(_t).where(mine, _t.c.stage == Stage.STOPPING.value)
    connection.execute(stopping.values(due_at=now))
    return connection.execute(sa.select(_t.c.id).where(mine)).first() is not None


def hasten(connection: sa.Connection, run_id: str, now: float) -> bool:
    """Something happened to the workflow: have it looked at, also when somebody looks just now
    and may have seen it as it was before. False: nobody waits for it."""
    waiting = sa.update(_t).where(_t.c.id == run_id, _t.c.stage == Stage.WAITING.value)
    return connection.execute(waiting.values(due_at=now)).rowcount == 1


def _change(connection: sa.Connection, run: Run, values: Any) -> bool:
    return connection.execute(sa.update(_t).where(*_same(run)).values(values)).rowcount == 1


def _same(run: Run) -> tuple[sa.ColumnElement[bool], ...]:
    return _t.c.id == run.id, _t.c.due_at == run.due_at, _t.c.stage == run.stage.value


def _row(run: Run) -> dict[str, Any]:
    row = {field.name: getattr(run, field.name) for field in dataclasses.fields(run)}
    wanted = None if run.wanted is None else json.dumps(dataclasses.asdict(run.wanted))
    return {**row, "stage": run.stage.value, "wanted": wanted}


def _to_run(row: Any) -> Run:
    values = dict(row._mapping)
    wanted = values["wanted"]
    values["wanted"] = None if wanted is None else Wanted(**json.loads(wanted))
    return Run(**{**values, "stage": Stage(values["stage"])})
