"""``trigger create``, as people type it."""

from __future__ import annotations

import json

from funcflow.cli import main
from tests.unit.cli.double import Double


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
