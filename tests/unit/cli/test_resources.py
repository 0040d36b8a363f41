"""The nouns of the client, against a server that answers as it is told."""

from __future__ import annotations

import json

import pytest

from funcflow.cli import faults
from funcflow.cli.client import Client
from tests.unit.cli.double import Double

EXECUTION = "0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11"
MISSING = {"error": {"code": "not_found", "message": "there is no composition 'sagga'"}}


def test_all_problems_of_a_definition_are_in_the_message(double: Double, client: Client) -> None:
    problems = [
        {"severity": "error", "pointer": "/StartAt", "line": 1, "column": 2, "message": "No A",
         "hint": "Did you mean 'B'?"},
        {"severity": "warning", "pointer": "", "line": None, "column": None, "message": "old",
         "hint": ""},
    ]  # fmt: skip
    error = {"code": "invalid_definition", "message": "one error", "problems": problems}
    double.will({"error": error}, status=400)
    with pytest.raises(faults.ClientError) as caught:
        client.compositions.create({"name": "x", "definition": "y"})
    assert caught.value.message.splitlines() == [
        "one error",
        "  error: 1:2 /StartAt: No A (Did you mean 'B'?)",
        "  warning: /: old",
    ]


def test_a_near_name_is_suggested(double: Double, client: Client) -> None:
    for act in (client.compositions.get, lambda ref: client.compositions.start(ref, {})):
        double.will(MISSING, status=404)
        double.will({"compositions": [{"name": "saga", "id": "1"}, {"name": "other", "id": "2"}]})
        with pytest.raises(faults.NotFound) as caught:
            act("sagga")
        assert caught.value.hint == "Did you mean saga?"


def test_what_else_is_missing_is_left_as_it_is(double: Double, client: Client) -> None:
    """An alias, say: the composition is there."""
    error = {"code": "not_found", "message": "composition 1 has no alias 'live'"}
    double.will({"error": error}, status=404)
    with pytest.raises(faults.NotFound, match="no alias"):
        client.compositions.start("saga", {"alias": "live"})


def test_a_history_that_breaks_off_is_opened_again_where_it_was(
    double: Double, client: Client
) -> None:
    stream = {"content_type": "text/event-stream"}
    double.will(b'retry: 500\n\nid: 1\nevent: history\ndata: {"id": 1}\n\n', **stream)
    double.will(b'event: end\ndata: {"status": "FAILED"}\n\n', **stream)
    told = list(client.composition_executions.follow(EXECUTION))
    assert told == [{"id": 1}, {"status": "FAILED"}]
    first, second = double.seen
    path = f"/v1/compositions/-/executions/{EXECUTION}/history?payloads=false"
    assert (first.path, second.path) == (path, path)
    assert "last-event-id" not in first.headers
    assert second.headers["last-event-id"] == "1"


def test_tokens_are_one_segment_of_the_path(double: Double, client: Client) -> None:
    for act in (
        lambda: client.task_tokens.succeed("a/b", "1"),
        lambda: client.task_tokens.fail("a/b", {"error": "E"}),
        lambda: client.task_tokens.heartbeat("a/b"),
    ):
        double.will({})
        act()
    assert [seen.path.rpartition("/")[0] for seen in double.seen] == ["/v1/task-tokens/a%2Fb"] * 3
    assert json.loads(double.seen[0].body) == {"output": '"1"'}, "a text that stays a text"
