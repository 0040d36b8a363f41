"""Executions of compositions: every operation on their rows, and every query.

Called by the starter, the conductor, its sweeper and the API. Operations go to
``Database.write`` or ``submit``; queries take a connection of ``Database.read``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import sqlalchemy as sa

from funcflow import errors, models
from funcflow.db import composition_rows as rows
from funcflow.db import composition_tables, keys, listing, turns
from funcflow.db.composition_admission import Insert, Inserted, Remove, Start, Unpost, Wake
from funcflow.db.composition_inbox import Deliver, Delivered, Entry, Heartbeat
from funcflow.db.composition_log import Append, Appended, Park, Settle, Stay
from funcflow.db.composition_moves import Bury, Redrive, Requeue
from funcflow.db.composition_retention import Discard, PurgeSettled
from funcflow.states import CompositionState

__all__ = [
    "Append",
    "Appended",
    "Bury",
    "Deliver",
    "Delivered",
    "Discard",
    "Entry",
    "Heartbeat",
    "Insert",
    "Inserted",
    "Park",
    "PurgeSettled",
    "Redrive",
    "Remove",
    "Requeue",
    "Settle",
    "Start",
    "Stay",
    "Unpost",
    "Wake",
    "among",
    "by_name",
    "children",
    "counts",
    "due",
    "find",
    "get",
    "heartbeats",
    "inbox",
    "list_",
    "map_counts",
    "open_rows",
    "queued_among",
    "running_owned_by",
    "signals",
    "strays",
    "told",
]

_SELECT = f"SELECT {', '.join(rows.COLUMNS)} FROM composition_executions"  # noqa: S608
_LIGHT = f"SELECT {', '.join(rows.LIGHT)} FROM composition_executions"  # noqa: S608
_GET = sa.text(f"{_SELECT} WHERE id = :id")
_BY_NAME = sa.text(
    f"{_SELECT} WHERE composition_id = :composition_id AND project_id = :project_id"
    " AND name = :name"
)


def find(connection: sa.Connection, execution_id: str) -> models.CompositionExecution | None:
    """The execution, whosever it is, or None."""
    row = connection.execute(_GET, {"id": execution_id}).first()
    return None if row is None else rows.to_execution(row)


def get(
    connection: sa.Connection, execution_id: str, project_id: str | None = None
) -> models.CompositionExecution:
    """The execution; ``project_id`` None: of any project.

    :raises errors.NotFound: unknown, or another project's
    """
    execution = find(connection, execution_id)
    if execution is None or project_id not in (None, execution.project_id):
        raise errors.NotFound(f"there is no execution {execution_id}")
    return execution


def among(connection: sa.Connection, ids: Collection[str]) -> list[models.CompositionExecution]:
    """Those of these that there are, whole, in the order of their ids."""
    query = sa.text(f"{_SELECT} WHERE id {keys.among(connection)} ORDER BY id")
    found = connection.execute(query, {"keys": keys.value(connection, ids)})
    return [rows.to_execution(row) for row in found]


def by_name(
    connection: sa.Connection, composition_id: str, project_id: str, name: str
) -> models.CompositionExecution | None:
    """The project's execution of the composition that has the name, or None."""
    asked = {"composition_id": composition_id, "project_id": project_id, "name": name}
    row = connection.execute(_BY_NAME, asked).first()
    return None if row is None else rows.to_execution(row)


_t = composition_tables.composition_executions.c
_LISTED = {
    name: _t[name]
    for name in (
        "id",
        "project_id",
        "composition_id",
        "composition_version",
        "composition_alias",
        "type",
        "name",
        "state",
        "paused",
        "error",
        "reason",
        "attempts",
        "owner",
        "wake_at",
        "redrives",
        "parent_id",
        "map_state",
        "map_index",
        "map_run",
        "request_id",
        "created_at",
        "started_at",
        "finished_at",
        "updated_at",
    )
}
_LISTED_LIGHT = sa.select(
    *(sa.null().label(n) if n in ("input", "output") else _t[n] for n in rows.COLUMNS)
)


def list_(
    connection: sa.Connection, query: listing.Query, *, map_run: str | None = None
) -> list[models.CompositionExecution]:
    """A page of executions, without inputs and outputs: those of a Map Run, or (None) those
    that belong to none. With ``map_run`` filter by ``parent_id``, which finds them fast.

    :raises errors.BadRequest: an unknown field, operator, sort key or marker
    """
    of_run = _t.map_run.is_(None) if map_run is None else _t.map_run == map_run
    found = listing.page(connection, _LISTED_LIGHT.where(of_run), _LISTED, query)
    return [rows.to_execution(row) for row in found]


_SIGNALS = sa.text(
    "SELECT text FROM composition_signals"
    " WHERE execution_id = :id AND number > :after ORDER BY number LIMIT :limit"
)
_EVERY = 2**31 - 1


def signals(
    connection: sa.Connection, execution_id: str, after: int = 0, limit: int = _EVERY
) -> list[str]:
    """The log from number ``after`` + 1 on: JSON texts or references, at most ``limit``."""
    asked = {"id": execution_id, "after": after, "limit": limit}
    return list(connection.execute(_SIGNALS, asked).scalars())


_INBOX = sa.text(
    "SELECT execution_id, number, text FROM composition_inbox"
    " WHERE execution_id = :id ORDER BY number"
)
_TOLD = sa.text(
    "SELECT id FROM composition_executions"
    " WHERE state = 'running' AND deliveries > consumed AND owner = :owner"
)


def inbox(connection: sa.Connection, execution_id: str) -> list[Entry]:
    """What the execution was told and has not taken yet, in order."""
    return [Entry(*row) for row in connection.execute(_INBOX, {"id": execution_id})]


def told(connection: sa.Connection, owner: str) -> list[str]:
    """Ids of the executions that this conductor incarnation holds whose inbox has entries. Costs
    next to nothing while there are none."""
    return list(connection.execute(_TOLD, {"owner": owner}).scalars())


_HEARTBEATS = sa.text("SELECT command, at FROM composition_heartbeats WHERE execution_id = :id")


def heartbeats(connection: sa.Connection, execution_id: str) -> dict[int, float]:
    """When the tasks behind commands last gave a sign of life; those that ever did."""
    found = connection.execute(_HEARTBEATS, {"id": execution_id})
    return {row[0]: row[1] for row in found}


_IS_DUE = "{0}state IN ('queued', 'waiting') AND NOT {0}posted AND {0}wake_at IS NOT NULL"
_DUE = turns.Queues("composition_executions", _IS_DUE, time="wake_at")
# Neither EXISTS nor without an order: one look into the index per shard, whatever a planner
# believes of how many are due.
_DUE_SHARDS = (
    "SELECT s.value FROM {} AS s WHERE (SELECT e.wake_at FROM composition_executions AS e"  # noqa: S608
    f" WHERE {_IS_DUE.format('e.')} AND e.shard = s.value AND e.wake_at <= :now"
    " ORDER BY e.wake_at LIMIT 1) IS NOT NULL"
)


def due(
    connection: sa.Connection, now: float, limit: int, shards: Iterable[int]
) -> list[models.CompositionExecution]:
    """Those of the shards that wait, or are queued without a job, and whose time has come,
    without payloads: oldest first, by turns between the projects.

    Costs what it returns, however many are waiting.
    """
    query = sa.text(_DUE_SHARDS.format(keys.numbers(connection)))
    asked = {"keys": keys.value(connection, list(shards)), "now": now}
    chosen = _DUE.next(connection, now, limit, connection.execute(query, asked).scalars().all())
    if not chosen:
        return []
    by_id = {row.id: row for row in _light(connection, "id {keys}", chosen)}
    return [by_id[execution_id] for execution_id in chosen if execution_id in by_id]


_OPEN = sa.text(
    f"{_LIGHT} WHERE posted AND state IN ('queued', 'running')"
    " AND shard = :shard AND updated_at < :before ORDER BY updated_at"
)


def open_rows(
    connection: sa.Connection, before: float, shards: Iterable[int]
) -> list[models.CompositionExecution]:
    """Queued and running ones of the shards that should have a job on the board and have not
    changed since ``before``, without payloads, longest first per shard."""
    return [
        rows.to_execution(row)
        for shard in shards
        for row in connection.execute(_OPEN, {"shard": shard, "before": before})
    ]


def queued_among(
    connection: sa.Connection, ids: Collection[str]
) -> list[models.CompositionExecution]:
    """Which of these are queued and marked as posted, without payloads."""
    return _light(connection, "id {keys} AND state = 'queued' AND posted", ids)


def running_owned_by(
    connection: sa.Connection, owners: Collection[str]
) -> list[models.CompositionExecution]:
    """What runs under claims of these conductor incarnations, without payloads."""
    return _light(connection, "state = 'running' AND owner {keys}", owners)


_CHILDREN = sa.text(f"{_LIGHT} WHERE parent_id = :id ORDER BY parent_command, id")


def children(connection: sa.Connection, parent_id: str) -> list[models.CompositionExecution]:
    """All that the execution started, in order, without payloads."""
    found = connection.execute(_CHILDREN, {"id": parent_id})
    return [rows.to_execution(row) for row in found]


_STRAYS = (
    "SELECT e.id FROM {} AS e LEFT JOIN composition_executions AS p ON p.id = e.parent_id"
    " WHERE e.parent_id IS NOT NULL AND e.state IN ({})"
    " AND (p.id IS NULL OR p.state IN ('failed', 'timed_out', 'aborted')) LIMIT :limit"
)
_STRAY_FUNCTIONS = sa.text(_STRAYS.format("executions", "'queued', 'running'"))
_STRAY_CHILDREN = sa.text(
    _STRAYS.format("composition_executions", "'queued', 'running', 'waiting'")
)


def strays(connection: sa.Connection, limit: int) -> tuple[list[str], list[str]]:
    """Ids of executions of functions, and of compositions, whose parents ended badly or are
    gone, so that nobody waits for them: what their parent's conductor died before it stopped
    them. At most ``limit`` of each."""
    functions, children = (
        list(connection.execute(query, {"limit": limit}).scalars())
        for query in (_STRAY_FUNCTIONS, _STRAY_CHILDREN)
    )
    return functions, children


_MAP_COUNTS = sa.text(
    "SELECT state, COUNT(*) FROM composition_executions"
    " WHERE parent_id = :id AND map_run = :map_run GROUP BY state"
)


def map_counts(
    connection: sa.Connection, parent_id: str, map_run: str
) -> dict[CompositionState, int]:
    """The children of a Map Run by state."""
    found = connection.execute(_MAP_COUNTS, {"id": parent_id, "map_run": map_run})
    return {CompositionState(state): count for state, count in found}


def counts(connection: sa.Connection) -> dict[tuple[str, CompositionState], int]:
    """Rows by project and state, counted: reads the whole table."""
    query = "SELECT project_id, state, COUNT(*) FROM composition_executions"
    found = connection.execute(sa.text(f"{query} GROUP BY project_id, state"))
    return {(project_id, CompositionState(state)): count for project_id, state, count in found}


def _light(
    connection: sa.Connection, where: str, chosen: Collection[str]
) -> list[models.CompositionExecution]:
    """Rows without payloads; ``{keys}`` in ``where`` compares with what was chosen."""
    condition = where.format(keys=keys.among(connection))
    query = sa.text(f"{_LIGHT} WHERE {condition} ORDER BY id")
    found = connection.execute(query, {"keys": keys.value(connection, chosen)})
    return [rows.to_execution(row) for row in found]
