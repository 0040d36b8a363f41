"""Dead letters of functions and compositions, one list."""

from __future__ import annotations

import pytest

from funcflow import errors, models
from funcflow.db import dead_letters, listing
from funcflow.db.engine import Database
from tests.unit.db import composition_factory as factory
from tests.unit.db import factory as function_factory


def page(database: Database, **fields: object) -> list[str]:
    query = listing.Query(**({"project_id": factory.PROJECT} | fields))  # type: ignore[arg-type]
    with database.read() as connection:
        return [row.id for row in dead_letters.list_(connection, query)]


def test_both_kinds_page_by_page(database: Database) -> None:
    dead = []
    for _ in range(3):
        dead += [function_factory.dead(database).id, factory.dead(database, input="1").id]
    function_factory.dead(database, project_id="another")
    factory.held(database)
    function_factory.running(database)
    dead.sort()
    assert page(database) == dead
    assert page(database, limit=4) == dead[:4]
    assert page(database, limit=4, marker=dead[3]) == dead[4:]
    assert page(database, sort="id:desc", marker=dead[3]) == dead[:3][::-1]
    assert len(page(database, project_id=None)) == 7
    with pytest.raises(errors.BadRequest):
        page(database, marker="unknown")


def test_filters_and_orders_of_either_kind(database: Database) -> None:
    function = function_factory.dead(database, function_id="g", sync=False)
    composition = factory.dead(database, composition_id="h", name="monday")
    for filters, expected in (
        ({"kind": "function"}, [function.id]),
        ({"kind": "composition"}, [composition.id]),
        ({"function_id": "g"}, [function.id]),
        ({"composition_id": "h"}, [composition.id]),
        ({"name": "has:mon"}, [composition.id]),
        ({"reason": "poison", "attempts": "0"}, sorted([function.id, composition.id])),
        ({"reason": "attempts"}, []),
    ):
        assert page(database, filters=filters) == expected
    assert page(database, sort="composition_id:desc") == [composition.id, function.id]
    assert page(database, sort="function_id:desc,sync", limit=1) == [function.id]
    assert page(database, sort="composition_id", marker=function.id) == [composition.id]


def test_they_are_whole(database: Database) -> None:
    factory.dead(database, input="1")
    function_factory.dead(database, input="2")
    with database.read() as connection:
        found = dead_letters.list_(connection, listing.Query(project_id=None))
    inputs = {type(row): row.input for row in found}
    assert inputs == {models.CompositionExecution: "1", models.Execution: "2"}
