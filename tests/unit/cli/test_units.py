from __future__ import annotations

import argparse

import pytest

from funcflow.cli import units


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
