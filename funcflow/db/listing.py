"""Lists: filters, order, limit and marker, the same for every noun.

Each noun's ``list_`` uses :func:`page`. Pages are cut by key (the values of the marker's row),
so rows that come or go meanwhile shift nothing.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from funcflow import errors

Column = sa.ColumnElement[Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to list.

    ``project_id`` None: of all projects. ``marker``: the id after which to go on. ``sort``:
    ``key:asc,key:desc``; newest last by default. ``filters``: field to ``value`` or
    ``operator:value`` with eq, neq, in, nin (comma separated), gt, gte, lt, lte, has.
    """

    project_id: str | None
    limit: int | None = None
    marker: str | None = None
    sort: str | None = None
    filters: Mapping[str, str] = dataclasses.field(default_factory=dict)


def page(
    connection: sa.Connection,
    select: sa.Select[Any],
    fields: Mapping[str, sa.Column[Any]],
    query: Query,
    scope: Column | None = None,
) -> Sequence[sa.Row[Any]]:
    """The rows. ``fields`` may be filtered and sorted by and must have ``id``; ``scope`` takes
    the place of the comparison with the project.

    :raises errors.BadRequest: an unknown field, operator, sort key or marker
    """
    if query.limit is not None and query.limit < 1:
        raise errors.BadRequest("the limit must be at least 1")
    conditions = [_condition(fields, name, text) for name, text in query.filters.items()]
    if scope is None:
        mine = query.project_id
        scope = sa.true() if mine is None else fields["project_id"] == mine
    conditions.append(scope)
    order = _order(fields, query.sort)
    if query.marker is not None:
        conditions.append(_after(connection, select.where(scope), fields, order, query.marker))
    select = select.where(*conditions)
    for column, descending in order:
        key = _sortable(column)
        select = select.order_by(key.desc() if descending else key.asc())
    return connection.execute(select.limit(query.limit)).all()


def _order(
    fields: Mapping[str, sa.Column[Any]], sort: str | None
) -> list[tuple[sa.Column[Any], bool]]:
    """Columns and whether they descend; ends with the id, so that the order is total."""
    order: list[tuple[sa.Column[Any], bool]] = []
    for part in sort.split(",") if sort else []:
        name, _, direction = part.strip().partition(":")
        if name not in fields or direction not in ("", "asc", "desc"):
            known = ", ".join(sorted(fields))
            raise errors.BadRequest(
                f"cannot sort by {part!r}", hint=f"Use key:asc or key:desc with one of {known}."
            )
        order.append((fields[name], direction == "desc"))
    if fields["id"] not in [column for column, _ in order]:
        order.append((fields["id"], order[-1][1] if order else False))
    return order


def _sortable(column: sa.Column[Any]) -> Column:
    """The column with nulls in a place that both databases agree on: first."""
    if not getattr(column, "nullable", False):
        return column
    return sa.func.coalesce(column, "" if isinstance(column.type, sa.Text) else -1)


def _after(
    connection: sa.Connection,
    visible: sa.Select[Any],
    fields: Mapping[str, sa.Column[Any]],
    order: Sequence[tuple[sa.Column[Any], bool]],
    marker: str,
) -> Column:
    """Rows behind the marker's in the order."""
    keys = [_sortable(column) for column, _ in order]
    marked = visible.with_only_columns(*keys, maintain_column_froms=True)
    row = connection.execute(marked.where(fields["id"] == _proper("marker", marker))).first()
    if row is None:
        raise errors.BadRequest(f"the marker {marker!r} is not there (any more)")
    behind: Column = sa.false()
    for key, (_, descending), value in reversed(list(zip(keys, order, row, strict=True))):
        further = key < value if descending else key > value
        behind = sa.or_(further, sa.and_(key == value, behind))
    return behind


def _equals(column: sa.Column[Any], value: object) -> Column:
    if getattr(column, "info", {}).get("inline"):
        return column == sa.bindparam(None, value, unique=True, literal_execute=True)
    return column == value


_OPERATORS: dict[str, Callable[[Any, Any], Column]] = {
    "eq": lambda column, value: _equals(column, value),
    "neq": lambda column, value: sa.or_(column != value, column.is_(None)),
    "gt": lambda column, value: column > value,
    "gte": lambda column, value: column >= value,
    "lt": lambda column, value: column < value,
    "lte": lambda column, value: column <= value,
}


def _condition(fields: Mapping[str, sa.Column[Any]], name: str, text: str) -> Column:
    if name not in fields:
        known = ", ".join(sorted(fields))
        raise errors.BadRequest(f"cannot filter by {name!r}", hint=f"Use one of {known}.")
    column = fields[name]
    operator, separator, rest = text.partition(":")
    if separator and operator == "has":
        if not isinstance(column.type, sa.Text):
            raise errors.BadRequest(f"{name} is not text; has: does not work on it")
        return column.icontains(_proper(name, rest), autoescape=True)
    if separator and operator in ("in", "nin"):
        values = [_value(name, column, part) for part in rest.split(",")]
        if operator == "in":
            return column.in_(values)
        return sa.or_(column.not_in(values), column.is_(None))
    if separator and operator in _OPERATORS:
        return _OPERATORS[operator](column, _value(name, column, rest))
    return _equals(column, _value(name, column, text))


def _value(name: str, column: sa.Column[Any], text: str) -> object:
    """The text as the column's type."""
    try:
        if isinstance(column.type, sa.Boolean):
            return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
        if isinstance(column.type, sa.BigInteger):
            number = int(text)
            if abs(number) >= 2**63:
                raise ValueError(text)
            return number
        if isinstance(column.type, sa.Double):
            moment = float(text)
            if not math.isfinite(moment):
                raise ValueError(text)
            return moment
    except (KeyError, ValueError):
        raise errors.BadRequest(f"{text!r} is no value for {name}") from None
    return _proper(name, text)


def _proper(name: str, text: str) -> str:
    """The text, if a database can compare with it."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise errors.BadRequest(f"{name} is no proper text")
    return text
