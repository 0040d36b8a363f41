"""What ``funcflow function create --image`` sends."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from funcflow.cli import faults
from funcflow.cli.commands import functions


def given(**values: Any) -> argparse.Namespace:
    empty = dict.fromkeys((*functions._FIELDS, "runtime", "image", "command"))
    return argparse.Namespace(**{**empty, **values})


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (None, None),
        ("app", ["app"]),
        ("sh -c 'exec app \"$MODE\"'", ["sh", "-c", 'exec app "$MODE"']),
    ],
)
def test_the_command_is_split_as_a_shell_does(command: str | None, words: list[str] | None) -> None:
    code = functions._of_image(given(image="own:1", command=command))["code"]
    assert code == {"source": "image", "image": "own:1"} | ({"command": words} if words else {})


def test_a_command_needs_an_image() -> None:
    with pytest.raises(faults.ClientError, match="image"):
        functions._given(given(command="app"))
