"""``trigger create``, as people type it."""

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


def test_times_are_sent_as_they_are_typed(double: Double) -> None:
    double.will({"id": "t", "source": {"type": "once"}})
    typed = [
        "trigger", "create", "later", "--function", "f",
        "--source", "once", "--option", "at=2031-05-17T12:00:00Z",
        "--input", "{due: 2031-05-17, seconds: 5}", "--endpoint", double.url,
    ]  # fmt: skip
    assert main.main(typed) == 0
    sent = json.loads(double.seen[0].body)
    assert sent["source"] == {"type": "once", "at": "2031-05-17T12:00:00Z"}
    assert sent["input"] == {"due": "2031-05-17", "seconds": 5}


def test_a_pattern_that_is_no_yaml_is_sent_as_it_is(double: Double) -> None:
    double.will({"id": "t", "source": {"type": "cron"}})
    typed = ["trigger", "create", "n", "--function", "f", "--source", "cron"]
    typed += ["--option", "pattern=*/5 * * * *", "--endpoint", double.url]
    assert main.main(typed) == 0
    assert json.loads(double.seen[0].body)["source"]["pattern"] == "*/5 * * * *"
