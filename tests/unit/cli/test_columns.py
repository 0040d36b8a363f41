from __future__ import annotations

from typing import Any

import pytest

from funcflow.cli import columns


@pytest.mark.parametrize(
    ("column", "row", "human", "machine"),
    [
        (columns.Column("m", columns.Size), {"m": 1536}, "1.5 KiB", 1536),
        (columns.Column("m", columns.Size), {}, "", None),
        (columns.Column("r", columns.Duration, path="u.r"), {"u": {"r": 2}}, "2.00 s", 2),
        (columns.Column("r", columns.Duration, path="u.r"), {"u": None}, "", None),
        (columns.Column("s", columns.Structure), {"s": '{"a": 1}'}, '{"a": 1}', {"a": 1}),
        (columns.Column("s", columns.Structure), {"s": "not json"}, '"not json"', "not json"),
        (columns.Column("s", columns.Structure), {"s": {}}, "", {}),
        (columns.Column("c", columns.Cpu), {"c": 1500}, "1.5 cores", 1500),
    ],
)
def test_a_column_is_readable_for_people_and_plain_for_programs(
    column: columns.Column, row: dict[str, Any], human: str, machine: object
) -> None:
    cell = column.value(row)

    assert cell.human_readable() == human
    assert cell.machine_readable() == machine
