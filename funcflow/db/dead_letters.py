"""Dead letters of all kinds in one list: executions of functions and of compositions, and firings
of triggers that never became one.

Called by the API. Dead ones are few, whatever else there is, and have indexes of their own.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from funcflow import models
from funcflow.db import (
    composition_executions,
    composition_tables,
    executions,
    firings,
    listing,
    tables,
    trigger_tables,
)
from funcflow.events import Firing

DeadLetter = models.Execution | models.CompositionExecution | Firing

_FIELDS = (
    "id",
    "project_id",
    "function_id",
    "function_version",
    "function_alias",
    "composition_id",
    "composition_version",
    "composition_alias",
    "trigger_id",
    "event_id",
    "event_source",
    "event_type",
    "name",
    "description",
    "sync",
    "reason",
    "attempts",
    "owner",
    "request_id",
    "created_at",
    "started_at",
    "finished_at",
    "updated_at",
)
_SOURCES = {
    "function": tables.executions,
    "composition": composition_tables.composition_executions,
    "firing": trigger_tables.firings,
}


def _dead(kind: str, table: sa.Table) -> sa.Select[Any]:
    columns = (table.c[name] if name in table.c else _nothing(name) for name in _FIELDS)
    state = "outcome" if kind == "firing" else "state"
    return sa.select(sa.literal_column(f"'{kind}'", sa.Text).label("kind"), *columns).where(
        sa.text(f"{table.name}.{state} = 'dead'")
    )


def _nothing(name: str) -> sa.ColumnElement[Any]:
    """In place of a field that only other kinds have: what sorts first."""
    column = next(table.c[name] for table in _SOURCES.values() if name in table.c)
    values = {sa.Text: "''", sa.BigInteger: "-1", sa.Double: "-1.0", sa.Boolean: "FALSE"}
    return sa.literal_column(values[type(column.type)], column.type).label(name)


_all = sa.union_all(*(_dead(kind, table) for kind, table in _SOURCES.items())).subquery("dead")
_LISTED: dict[str, Any] = {column.name: column for column in _all.c}


def list_(connection: sa.Connection, query: listing.Query) -> list[DeadLetter]:
    """A page of dead letters; ``kind`` is function, composition or firing.

    :raises errors.BadRequest: an unknown field, operator, sort key or marker
    """
    found = listing.page(connection, sa.select(_all.c.id), _LISTED, query)
    ids = [row.id for row in found]
    whole: dict[str, DeadLetter] = {each.id: each for each in executions.among(connection, ids)}
    whole |= {each.id: each for each in composition_executions.among(connection, ids)}
    whole |= {each.id: each for each in firings.among(connection, ids)}
    return [whole[key] for key in ids if key in whole]
