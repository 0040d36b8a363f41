"""What people see: sizes, columns, progress, event streams."""

from __future__ import annotations

import argparse
import io
from typing import Any

import pytest

from funcflow.cli import columns, sse, units
from funcflow.cli.progress import ProgressBar


@pytest.mark.parametrize(
    ("text", "size"),
    [("256M", 268435456), ("256MiB", 268435456), ("1g", 1073741824), ("64 kb", 65536), ("7", 7)],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert units.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "M", "-1", "1.5M", "1T", "1e3"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        units.parse_size(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (134217728, "128 MiB"),
        (2**50, "1048576 GiB"),
    ],
)
def test_sizes_are_shown_for_people(value: int, text: str) -> None:
    assert units.size(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.00123, "1.2 ms"), (2.5, "2.50 s"), (125, "2 min 5 s")]
)
def test_durations_are_shown_for_people(value: float, text: str) -> None:
    assert units.duration(value) == text


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


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_drawn_on_a_terminal() -> None:
    terminal = _Terminal()
    with ProgressBar("uploading", terminal) as progress:
        for done in range(0, 1025, 256):
            progress(done, 1024)

    frames = terminal.getvalue().split("\r")
    assert frames[-1] == f"uploading [{'#' * 30}] 100 % of 1 KiB\n"
    assert len(frames) == 6


def test_progress_is_silent_elsewhere() -> None:
    pipe = io.StringIO()
    with ProgressBar("uploading", pipe) as progress:
        progress(1, 1)

    assert pipe.getvalue() == ""


def test_events_are_read_however_the_bytes_are_cut() -> None:
    stream = (
        b"retry: 500\r\n\r\n: a comment\n\nid: 1\nevent: log\ndata: a\ndata: \xc3\xa9\n\n"
        b"data:two\n\nevent: end\ndata: {}\n\nid: 9\ndata: cut off"
    )
    expected = [
        sse.Event("a\né", "log", "1"),
        sse.Event("two", "message", "1"),
        sse.Event("{}", "end", "1"),
    ]
    for size in (1, 2, 3, 7, len(stream)):
        chunks = [stream[at : at + size] for at in range(0, len(stream), size)]
        assert list(sse.read(chunks)) == expected
