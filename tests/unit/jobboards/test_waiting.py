"""Free jobs in memory."""

from __future__ import annotations

from funcflow.jobboards import base
from funcflow.jobboards.waiting import Waiting


def ticket(name: str) -> base.Ticket:
    return base.Ticket(name, "project", "function")


def test_oldest_first_over_shards() -> None:
    waiting = Waiting(3)
    for shard, name in [(0, "c"), (1, "a"), (2, "b"), (0, "d")]:
        waiting.add(shard, ticket(name))
    assert [t.execution_id for t in waiting.oldest_first([0, 1])] == ["a", "c", "d"]
    assert [t.execution_id for t in waiting.oldest_first(range(3))] == ["a", "b", "c", "d"]
    assert waiting.depth([0]) == 2
    waiting.remove(0, "c")
    waiting.remove(0, "c")
    assert [t.execution_id for t in waiting.oldest_first([0, 1])] == ["a", "d"]


def test_the_answer_is_the_callers_to_change() -> None:
    waiting = Waiting(1)
    waiting.add(0, ticket("a"))
    waiting.oldest_first([0]).clear()
    assert waiting.oldest_first([0]) == [ticket("a")]


def test_replace_says_whether_something_is_new() -> None:
    waiting = Waiting(1)
    two = {"a": ticket("a"), "b": ticket("b")}
    assert waiting.replace(0, dict(two))
    assert not waiting.replace(0, dict(two))
    assert not waiting.replace(0, {"a": ticket("a")})
    assert waiting.oldest_first([0]) == [ticket("a")]
    assert waiting.replace(0, {"b": ticket("b")})
