"""What all lists have in common, tried on the list of executions."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from funcflow import errors
from funcflow.db import executions, listing
from funcflow.db.engine import Database
from tests.unit.db import factory

ROWS = [
    {"description": "Alpha 100%", "function_id": "f", "created_at": 3.0, "sync": True},
    {"description": "beta", "function_id": "g", "created_at": 1.0, "sync": False},
    {"description": "al_pha", "function_id": "f", "created_at": 2.0, "reason": "r"},
    {"description": "x:y,z", "function_id": "h", "created_at": 2.0, "function_version": 4},
]


@pytest.fixture
def ids(database: Database) -> list[str]:
    made = [factory.execution(id=f"{place}", **row) for place, row in enumerate(ROWS)]
    for execution in made:
        database.write(executions.Insert(execution, True))
    database.write(executions.Insert(factory.execution(project_id="elsewhere"), True))
    return [execution.id for execution in made]


def listed(database: Database, project: str | None = factory.PROJECT, **query: object) -> str:
    with database.read() as connection:
        asked = listing.Query(project_id=project, **query)  # type: ignore[arg-type]
        return "".join(row.id for row in executions.list_(connection, asked))


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, "0123"),
        ({"description": "beta"}, "1"),
        ({"description": "eq:beta"}, "1"),
        ({"description": "eq:x:y,z"}, "3"),
        ({"description": "x:y,z"}, "3"),
        ({"description": "has:ALPHA"}, "0"),
        ({"description": "has:100%"}, "0"),
        ({"description": "has:l_p"}, "2"),
        ({"description": "has:'; DROP TABLE executions"}, ""),
        ({"function_id": "neq:f"}, "13"),
        ({"function_id": "in:f,h"}, "023"),
        ({"function_id": "nin:f,h"}, "1"),
        ({"reason": "neq:r"}, "013"),
        ({"reason": "nin:r,q"}, "013"),
        ({"created_at": "gt:2"}, "0"),
        ({"created_at": "gte:2.0"}, "023"),
        ({"created_at": "lt:2"}, "1"),
        ({"created_at": "lte:2", "function_id": "f"}, "2"),
        ({"function_version": "4"}, "3"),
        ({"sync": "false"}, "1"),
        ({"state": "in:running,dead"}, ""),
        ({"state": "neq:running"}, "0123"),
    ],
)
def test_filters(
    database: Database, ids: list[str], filters: Mapping[str, str], found: str
) -> None:
    assert listed(database, filters=filters) == found


@pytest.mark.parametrize(
    ("sort", "found"),
    [
        (None, "0123"),
        ("id:desc", "3210"),
        ("created_at", "1230"),
        ("created_at:desc", "0321"),
        ("created_at:desc,id:asc", "0231"),
        ("reason:asc,id:asc", "0132"),
        ("started_at, description:desc", "3120"),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 3, 9])
def test_pages_add_up_to_the_list(
    database: Database, ids: list[str], sort: str | None, found: str, limit: int
) -> None:
    pages = ""
    while page := listed(database, sort=sort, limit=limit, marker=pages[-1:] or None):
        assert len(page) <= limit
        pages += page
    if sort is not None and "description" in sort:
        assert sorted(pages) == sorted(found), "collations differ"
    else:
        assert pages == found


def test_pages_stay_put_while_rows_come_and_go(database: Database, ids: list[str]) -> None:
    assert listed(database, sort="created_at", limit=2) == "12"
    database.write(executions.Insert(factory.execution(id="00", created_at=0.5), True))
    assert database.write(executions.Remove("1"))
    assert listed(database, sort="created_at", limit=2, marker="2") == "30"


def test_all_projects(database: Database, ids: list[str]) -> None:
    assert len(listed(database, project=None)) > len(ids)
    assert listed(database, project="nobody") == ""


@pytest.mark.parametrize(
    "query",
    [
        {"filters": {"input": "x"}},
        {"filters": {"nonsense": "x"}},
        {"filters": {"created_at": "gt:yesterday"}},
        {"filters": {"function_version": "1.5"}},
        {"filters": {"function_version": str(2**70)}},
        {"filters": {"sync": "maybe"}},
        {"filters": {"created_at": "has:1"}},
        {"filters": {"description": "a\0b"}},
        {"filters": {"description": "has:\0"}},
        {"filters": {"description": "\ud800"}},
        {"filters": {"created_at": "nan"}},
        {"sort": "input"},
        {"sort": "id:sideways"},
        {"sort": "id,,id"},
        {"marker": "unknown"},
        {"marker": "a\0b"},
        {"limit": 0},
    ],
)
def test_nonsense_is_refused(database: Database, ids: list[str], query: dict[str, object]) -> None:
    with pytest.raises(errors.BadRequest):
        listed(database, **query)


def test_another_projects_marker_is_unknown(database: Database, ids: list[str]) -> None:
    with pytest.raises(errors.BadRequest):
        listed(database, project="nobody", marker="0")
