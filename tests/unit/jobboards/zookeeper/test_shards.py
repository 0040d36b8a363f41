"""What a listing of a shard tells."""

from __future__ import annotations

from typing import Any

from funcflow.jobboards import base, tickets
from funcflow.jobboards.zookeeper import layout, shards


class Still:
    """A watcher whose listings the test makes."""

    def __init__(self) -> None:
        self.watches: dict[str, Any] = {}
        self.looks: list[str] = []

    def add(self, path: str, listed: Any, sent: Any) -> None:
        self.watches[path] = (listed, sent)

    def remove(self, path: str) -> None:
        del self.watches[path]

    def look(self, path: str) -> None:
        self.looks.append(path)


def ticket(name: str) -> base.Ticket:
    return base.Ticket(name, "project", "function")


def names(*free: str, locked: tuple[str, ...] = ()) -> list[str]:
    jobs = [tickets.to_name(ticket(name)) for name in (*free, *locked)]
    return jobs + [tickets.to_name(ticket(name)) + ".lock" for name in locked]


def watched() -> tuple[shards.Shards, Any, Any, list[str]]:
    told: list[str] = []
    watcher = Still()
    them = shards.Shards(2, layout.Layout("/f", 2), watcher)  # type: ignore[arg-type]
    them.on_jobs = lambda: told.append("jobs")
    them.watch([0])
    [(listed, sent)] = watcher.watches.values()
    return them, listed, sent, told


def free(them: shards.Shards) -> list[str]:
    return [ticket.execution_id for ticket in them.oldest_first([0])]


def test_locked_and_foreign_names_are_left_out() -> None:
    jobs, known = shards.free_jobs([*names("a", locked=("b",)), "job0000000007"], {})
    assert list(jobs) == ["a"]
    assert len(known) == 3
    again, _ = shards.free_jobs([*names("a", locked=("b",))], known)
    assert again["a"] is jobs["a"]


def test_only_new_jobs_are_told() -> None:
    them, listed, _, told = watched()
    listed(names("a", "b"))
    assert (free(them), told) == (["a", "b"], ["jobs"])
    listed(names("b"))
    listed(names(locked=("b",)))
    assert (free(them), told) == ([], ["jobs"])
    listed(names("b"))
    assert (free(them), told) == (["b"], ["jobs", "jobs"])


def test_an_old_listing_does_not_bring_back_what_was_claimed_since() -> None:
    them, listed, sent, _ = watched()
    listed(names("a", "b"))
    sent()
    them.touch(0, ["a"], them.moment())
    listed(names("a", "b"))  # asked for before the claim
    assert free(them) == ["b"]
    sent()
    listed(names("a", "b"))  # asked for afterwards: it was given back
    assert free(them) == ["a", "b"]


def test_what_became_free_while_our_claim_was_refused_is_looked_for_again() -> None:
    """Its lock was somebody's who died right after; a listing saw that before we heard of the
    refusal."""
    watcher = Still()
    them = shards.Shards(2, layout.Layout("/f", 2), watcher)  # type: ignore[arg-type]
    them.watch([0])
    [(path, (listed, sent))] = watcher.watches.items()
    sent()
    listed(names(locked=("a",)))
    since = them.moment()
    sent()
    them.touch(0, ["a"], since)
    listed(names("a"))
    assert free(them) == []
    assert watcher.looks == [path]
    sent()
    listed(names("a"))
    assert free(them) == ["a"]
    them.touch(0, ["a"], them.moment())
    assert watcher.looks == [path], "nothing was missed"


def test_what_was_given_back_is_free_at_once() -> None:
    them, listed, sent, told = watched()
    listed(names("a"))
    sent()
    them.touch(0, ["a"], them.moment())
    them.given_back(0, ticket("a"))
    assert (free(them), told) == (["a"], ["jobs", "jobs"])
    listed(names("a"))
    assert free(them) == ["a"]


def test_what_is_not_watched_is_forgotten() -> None:
    them, listed, _, _ = watched()
    listed(names("a"))
    them.watch([1])
    assert them.watched() == [1]
    listed(names("a"))  # came late
    assert free(them) == []
    them.touch(0, ["a"], them.moment())
    them.given_back(0, ticket("a"))
    assert them.depth([0]) == 0
