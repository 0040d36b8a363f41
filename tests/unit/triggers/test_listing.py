"""Telling what changed in a container from two looks at it."""

from __future__ import annotations

import dataclasses

from funcflow.triggers.swift import listing

A = listing.Object("a", "e1", 1, "2026-01-01T00:00:00.000001", "text/plain")
B = dataclasses.replace(A, name="b/c")
NEWER = dataclasses.replace(A, modified="2026-01-01T00:00:00.000002")


def told(seen: list[listing.Object], listed: list[listing.Object]) -> list[tuple[str, str]]:
    versions = {each.name: each.version for each in seen}
    return [(change, name) for change, name, _ in listing.changes(versions, listed)]


def test_what_is_new_written_again_or_gone_is_told() -> None:
    assert told([], [A, B]) == [("created", "a"), ("created", "b/c")]
    assert told([A, B], [A, B]) == []
    assert told([A, B], [NEWER, B]) == [("created", "a")]
    assert told([A, B], [B]) == [("deleted", "a")]
    assert told([A], []) == [("deleted", "a")]


def test_each_time_it_is_written_an_object_has_another_event_and_only_one() -> None:
    def made(found: listing.Object) -> str:
        return listing.event("created", "c", found.name, found, found.version, "p").id

    assert made(A) == made(A)
    assert len({made(A), made(B), made(NEWER)}) == 3
    gone = listing.event("deleted", "c", "a", None, A.version, "p")
    assert gone.id not in (made(A), made(NEWER))
    assert gone.data == {"container": "c", "object": "a", "project_id": "p"}
