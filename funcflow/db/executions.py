"""Executions: every operation on their rows, and every query.

Called by the submit path, the conductor, its sweeper and the API. Operations go to
``Database.write`` or ``submit``; queries take a connection of ``Database.read``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from typing import ClassVar

import sqlalchemy as sa

from funcflow import errors, models
from funcflow.db import bulk, group, keys, listing, rows, tables, turns
from funcflow.db.admission import Full, Insert, Inserted, Remove, Start
from funcflow.db.logs import AppendLogs
from funcflow.db.logs import read as logs
from funcflow.db.moves import Bury, Cancel, Defer, Redrive, Requeue, Settle
from funcflow.db.retention import Discard, PurgeSettled
from funcflow.states import State

__all__ = [
    "AppendLogs",
    "Bury",
    "Cancel",
    "Defer",
    "Discard",
    "Full",
    "Insert",
    "Inserted",
    "MarkPosted",
    "PurgeSettled",
    "Redrive",
    "Remove",
    "Requeue",
    "Settle",
    "Start",
    "among",
    "by_key",
    "cancelled_among",
    "counts",
    "expired",
    "find",
    "get",
    "list_",
    "logs",
    "open_rows",
    "running_owned_by",
    "unposted",
]

_MARK = bulk.Statement(
    "UPDATE executions AS e SET posted = v.posted FROM v"
    " WHERE e.id = v.id AND e.state = 'queued' RETURNING e.id",
    id="text",
    posted="bool",
)


@dataclasses.dataclass(frozen=True, slots=True)
class MarkPosted(group.Op[None]):
    """Whether jobs are on the board for these, as far as they are queued.

    Mark before posting and unmark when the post failed: a mark that came after the job had
    already run and been requeued would hide the row from the sweeper.
    """

    rank: ClassVar[int] = 20
    ids: Collection[str]
    posted: bool

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[MarkPosted]) -> list[None]:
        last = {execution_id: op.posted for op in ops for execution_id in op.ids}
        _MARK.run(batch.cursor, batch.dialect, list(last.items()))
        return [None for _ in ops]


_GET = sa.text(f"SELECT {rows.SELECT} FROM executions WHERE id = :id")  # noqa: S608
_BY_KEY = sa.text(
    f"SELECT {rows.SELECT} FROM executions"  # noqa: S608
    " WHERE project_id = :project_id AND idempotency_key = :key"
)


def find(connection: sa.Connection, execution_id: str) -> models.Execution | None:
    """The execution, whosever it is, or None."""
    row = connection.execute(_GET, {"id": execution_id}).first()
    return None if row is None else rows.to_execution(row)


def get(
    connection: sa.Connection, execution_id: str, project_id: str | None = None
) -> models.Execution:
    """The execution; ``project_id`` None: of any project.

    :raises errors.NotFound: unknown, or another project's
    """
    execution = find(connection, execution_id)
    if execution is None or project_id not in (None, execution.project_id):
        raise errors.NotFound(f"there is no execution {execution_id}")
    return execution


def by_key(connection: sa.Connection, project_id: str, key: str) -> models.Execution | None:
    """The execution made with the key, or None."""
    row = connection.execute(_BY_KEY, {"project_id": project_id, "key": key}).first()
    return None if row is None else rows.to_execution(row)


def among(connection: sa.Connection, ids: Collection[str]) -> list[models.Execution]:
    """Those of these that there are."""
    query = f"SELECT {rows.SELECT} FROM executions WHERE id {keys.among(connection)}"  # noqa: S608
    found = connection.execute(sa.text(query), {"keys": keys.value(connection, ids)})
    return [rows.to_execution(row) for row in found]


_t = tables.executions.c
_LISTED = {
    name: _t[name]
    for name in (
        "id",
        "project_id",
        "function_id",
        "function_version",
        "function_alias",
        "description",
        "sync",
        "state",
        "reason",
        "attempts",
        "owner",
        "request_id",
        "created_at",
        "started_at",
        "finished_at",
        "updated_at",
    )
}
_WHOLE = sa.select(*(_t[name] for name in rows.COLUMNS))


def list_(connection: sa.Connection, query: listing.Query) -> list[models.Execution]:
    """A page of executions.

    :raises errors.BadRequest: an unknown field, operator, sort key or marker
    """
    found = listing.page(connection, _WHOLE, _LISTED, query)
    return [rows.to_execution(row) for row in found]


_UNPOSTED = turns.Queues("executions", "{0}state = 'queued' AND NOT {0}posted", time="not_before")


def unposted(
    connection: sa.Connection, now: float, limit: int, shards: Iterable[int]
) -> list[models.Execution]:
    """Queued ones of the shards that have no job and whose time has come, without payloads:
    oldest first, by turns between the projects.

    Costs what it returns, however many are waiting.
    """
    chosen = _UNPOSTED.next(connection, now, limit, shards)
    query = f"SELECT {rows.LIGHT} FROM executions WHERE id {keys.among(connection)}"  # noqa: S608
    found = connection.execute(sa.text(query), {"keys": keys.value(connection, chosen)})
    by_id = {row.id: rows.to_execution(row) for row in found}
    return [by_id[execution_id] for execution_id in chosen if execution_id in by_id]


_OPEN = sa.text(
    f"SELECT {rows.LIGHT} FROM executions WHERE posted AND state IN ('queued', 'running')"  # noqa: S608
    " AND shard = :shard AND updated_at < :before ORDER BY updated_at"
)


def open_rows(
    connection: sa.Connection, before: float, shards: Iterable[int]
) -> list[models.Execution]:
    """Open ones of the shards that should have a job on the board and have not changed since
    ``before``, without payloads, longest first per shard."""
    return [
        rows.to_execution(row)
        for shard in shards
        for row in connection.execute(_OPEN, {"shard": shard, "before": before})
    ]


_EXPIRED = sa.text(
    f"SELECT {rows.LIGHT} FROM executions"  # noqa: S608
    " WHERE state = 'queued' AND expires_at <= :now ORDER BY expires_at LIMIT :limit"
)


def expired(connection: sa.Connection, now: float, limit: int) -> list[models.Execution]:
    """Queued ones that waited longer than they may, without payloads, longest first."""
    found = connection.execute(_EXPIRED, {"now": now, "limit": limit})
    return [rows.to_execution(row) for row in found]


def cancelled_among(connection: sa.Connection, ids: Collection[str]) -> set[str]:
    """Which of the executions are cancelled."""
    query = f"SELECT id FROM executions WHERE id {keys.among(connection)} AND state = 'cancelled'"  # noqa: S608
    found = connection.execute(sa.text(query), {"keys": keys.value(connection, ids)})
    return set(found.scalars())


def running_owned_by(connection: sa.Connection, owners: Collection[str]) -> list[models.Execution]:
    """What runs under claims of these conductor incarnations, without payloads."""
    query = sa.text(
        f"SELECT {rows.LIGHT} FROM executions"  # noqa: S608
        f" WHERE state = 'running' AND owner {keys.among(connection)} ORDER BY id"
    )
    found = connection.execute(query, {"keys": keys.value(connection, owners)})
    return [rows.to_execution(row) for row in found]


def counts(connection: sa.Connection) -> dict[tuple[str, State], int]:
    """Rows by project and state, counted: reads the whole table."""
    query = "SELECT project_id, state, COUNT(*) FROM executions GROUP BY project_id, state"
    found = connection.execute(sa.text(query))
    return {(project_id, State(state)): count for project_id, state, count in found}
