"""The stream behind a followed log, without a server."""

from __future__ import annotations

import json

import pytest

from funcflow import errors, models, states
from funcflow.api import follow
from funcflow.api.waiting import Slots

RUNNING, DONE = states.State.RUNNING, states.State.SUCCEEDED


def chunk(seq: int, text: str) -> models.LogChunk:
    return models.LogChunk("stdout", text, 1.5, seq)


def test_pieces_then_the_end() -> None:
    """Each look asks for what came after the last; the end tells the state."""
    looks = [(RUNNING, [chunk(0, "a\n")]), (RUNNING, []), (DONE, [chunk(4, "b\nc")])]
    asked: list[int] = []

    def look(after: int) -> tuple[states.State, list[models.LogChunk]]:
        asked.append(after)
        return looks[len(asked) - 1]

    text = b"".join(follow.Follower(look, -1, Slots(1))).decode()
    assert asked == [-1, 0, 0]
    retry, first, second, end, rest = text.split("\n\n")
    assert (retry, rest) == ("retry: 500", "")
    assert first.splitlines()[:2] == ["id: 0", "event: log"]
    data = second.splitlines()[2].removeprefix("data: ")
    assert json.loads(data) == {"stream": "stdout", "text": "b\nc", "at": 1.5}
    assert end == 'event: end\ndata: {"state": "succeeded", "status": "success"}'


def test_the_place_is_given_back_once() -> None:
    """Also when nobody ever read, and when the server closes twice."""
    slots = Slots(1)
    unread = follow.Follower(lambda after: (RUNNING, []), -1, slots)
    with pytest.raises(errors.TooMany):
        follow.Follower(lambda after: (RUNNING, []), -1, slots)
    unread.close()
    unread.close()
    half = follow.Follower(lambda after: (RUNNING, [chunk(after + 1, "x")]), -1, slots)
    assert [next(half), next(half)][1].startswith(b"id: 0")
    half.close()
    slots.take()


def test_silence_is_filled_and_life_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comments show that somebody is there; in the end the client opens the stream again."""
    monkeypatch.setattr(follow, "HEARTBEAT", 0.0)
    monkeypatch.setattr(follow, "POLL", 0.001)
    monkeypatch.setattr(follow, "LIFETIME", 0.05)
    stream = list(follow.Follower(lambda after: (RUNNING, []), -1, Slots(1)))
    assert stream[1] == b": still there\n\n"
    assert b"end" not in stream[-1]


def test_it_stops_with_the_server_and_with_the_database() -> None:
    """Without an end event, so that the client comes again."""
    slots = Slots(1)
    slots.stopping.set()
    assert list(follow.Follower(lambda after: (RUNNING, []), -1, slots)) == [b"retry: 500\n\n"]

    def away(after: int) -> tuple[states.State, list[models.LogChunk]]:
        raise errors.Unavailable("away")

    assert list(follow.Follower(away, -1, Slots(1))) == [b"retry: 500\n\n"]
