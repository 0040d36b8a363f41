"""``trigger create`` for a workflow, as people type it."""

from __future__ import annotations

import json

import pytest

from funcflow.cli import main
from tests.unit.cli.double import Double


def test_a_workflow_is_a_target(double: Double, capsys: pytest.CaptureFixture[str]) -> None:
    double.will({"name": "alarms", "target": {"workflow": "self_healing.heal"}}, status=201)
    typed = [
        "trigger", "create", "alarms", "--source", "aodh", "--option", 'states=["alarm"]',
        "--workflow", "self_healing.heal", "--endpoint", double.url, "-f", "json",
    ]  # fmt: skip
    assert main.main(typed) == 0
    sent = json.loads(double.seen[0].body)
    assert sent["source"] == {"type": "aodh", "states": ["alarm"]}
    assert sent["target"] == {"workflow": "self_healing.heal"}
    shown = json.loads(capsys.readouterr().out)
    assert "self_healing.heal" in json.dumps(shown["target"])


def test_there_is_one_target(double: Double, capsys: pytest.CaptureFixture[str]) -> None:
    typed = ["trigger", "create", "t", "--workflow", "w", "--function", "f"]
    with pytest.raises(SystemExit):
        main.main([*typed, "--endpoint", double.url])
    assert not double.seen
    assert "not allowed with" in capsys.readouterr().err
