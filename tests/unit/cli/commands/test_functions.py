"""What the options of functions become on the wire."""

from __future__ import annotations

import argparse
import json
from typing import Any

import pytest

from funcflow.cli import faults, main
from funcflow.cli.commands import functions
from tests.unit.cli.double import Double

FUNCTION = {"id": "0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11", "name": "hello", "code": {}}


@pytest.mark.parametrize(
    ("option", "sent"),
    [
        ("owner:reader", {"as": "owner", "roles": ["reader"]}),
        ("caller:member, reader", {"as": "caller", "roles": ["member", "reader"]}),
        ("none", {"as": "none"}),
    ],
)
def test_an_identity(double: Double, option: str, sent: dict[str, object]) -> None:
    double.will(FUNCTION)
    words = ["function", "update", FUNCTION["id"], "--identity", option]
    assert main.main([*map(str, words), "--endpoint", double.url]) == 0
    assert json.loads(double.seen[-1].body) == {"identity": sent}


@pytest.mark.parametrize("option", ["owner", "none:reader", "root:admin", ""])
def test_what_is_no_identity(
    double: Double, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    words = ["function", "update", "hello", "--identity", option, "--endpoint", double.url]
    with pytest.raises(SystemExit, match="2"):
        main.main(words)
    assert "is not owner:ROLE, caller:ROLE or none" in capsys.readouterr().err
    assert double.seen == []


@pytest.mark.parametrize("command", [[], ["--command", "app"]])
def test_that_nobody_knows_what_an_image_runs_is_said(
    double: Double, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    double.will({"functions": []})
    code = {"source": "image", "image": "own:1", "unresolved": "own has no address"}
    double.will(FUNCTION | {"code": code | ({"command": ["app"]} if command else {})})
    words = ["function", "create", "hello", "--image", "own:1", *command, "-f", "value", "-c", "id"]
    assert main.main([*words, "--endpoint", double.url]) == 0
    shown = capsys.readouterr()
    assert shown.out.strip() == FUNCTION["id"]
    assert ("own has no address" in shown.err) is (not command)


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
