"""What is remembered of tokens, and for how long; clocks that are wrong change nothing."""

from __future__ import annotations

import datetime
import time
from typing import Any

import pytest

from funcflow import errors
from funcflow.auth.keystone import tokens


class Clocks:
    """Both clocks, to be turned by hand."""

    def __init__(self) -> None:
        self.monotonic, self.wall = 1_000.0, 1_800_000_000.0

    def later(self, seconds: float) -> None:
        self.monotonic += seconds
        self.wall += seconds


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    made = Clocks()
    monkeypatch.setattr(time, "monotonic", lambda: made.monotonic)
    monkeypatch.setattr(time, "time", lambda: made.wall)
    return made


class Keystone:
    """Answers, refuses or is away; counts how often it was asked."""

    def __init__(self, begins: float, lives: float) -> None:
        self.begins, self.lives = begins, lives
        self.asked = 0
        self.error: Exception | None = None

    def __call__(self) -> dict[str, Any]:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return {
            "token": {
                "issued_at": _text(self.begins),
                "expires_at": _text(self.begins + self.lives),
            }
        }


def _text(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


KEY = tokens.digest("token", False)


def test_an_answer_is_fresh_for_a_while(clocks: Clocks) -> None:
    keystone, known = Keystone(clocks.wall, 3600), tokens.Tokens(300)
    for _ in range(3):
        known.fetch(KEY, keystone)
    clocks.later(299)
    known.fetch(KEY, keystone)
    assert keystone.asked == 1
    clocks.later(2)
    known.fetch(KEY, keystone)
    assert keystone.asked == 2


def test_it_is_never_fresh_beyond_the_tokens_end(clocks: Clocks) -> None:
    keystone, known = Keystone(clocks.wall, 10), tokens.Tokens(300)
    known.fetch(KEY, keystone)
    clocks.later(11)
    keystone.error = ValueError("it has ended")
    with pytest.raises(ValueError, match="ended"):
        known.fetch(KEY, keystone)


@pytest.mark.parametrize("shift", [3600.0, -3600.0, 86400.0 * 365, -86400.0 * 365])
def test_a_wall_clock_that_jumps_changes_nothing(clocks: Clocks, shift: float) -> None:
    """Neither ends what is known nor makes it live longer."""
    keystone, known = Keystone(clocks.wall, 3600), tokens.Tokens(300)
    known.fetch(KEY, keystone)
    clocks.wall += shift
    known.fetch(KEY, keystone)
    assert keystone.asked == 1
    clocks.later(3601)
    keystone.error = tokens.unavailable()
    with pytest.raises(errors.Unavailable):
        known.fetch(KEY, keystone)


def test_a_wall_clock_that_is_behind_makes_no_token_live_longer_than_it_was_given(
    clocks: Clocks,
) -> None:
    keystone, known = Keystone(clocks.wall, 600), tokens.Tokens(300)
    clocks.wall -= 7200
    known.fetch(KEY, keystone)
    keystone.error = tokens.unavailable()
    clocks.later(599)
    known.fetch(KEY, keystone)
    clocks.later(2)
    with pytest.raises(errors.Unavailable):
        known.fetch(KEY, keystone)


def test_a_wall_clock_that_is_ahead_asks_each_time_and_lets_in(clocks: Clocks) -> None:
    keystone, known = Keystone(clocks.wall, 600), tokens.Tokens(300)
    clocks.wall += 7200
    for _ in range(3):
        known.fetch(KEY, keystone)
    assert keystone.asked == 3


def test_while_keystone_is_away_the_known_go_on_and_it_is_asked_rarely(clocks: Clocks) -> None:
    keystone, known = Keystone(clocks.wall, 3600), tokens.Tokens(300)
    known.fetch(KEY, keystone)
    clocks.later(301)
    keystone.error = tokens.unavailable()
    stranger = tokens.digest("another", False)
    for _ in range(100):
        known.fetch(KEY, keystone)
        with pytest.raises(errors.Unavailable):
            known.fetch(stranger, keystone)
    assert keystone.asked == 2
    clocks.later(tokens.PAUSE + 0.1)
    keystone.error = None
    known.fetch(stranger, keystone)
    assert keystone.asked == 3


def test_a_refused_token_is_forgotten(clocks: Clocks) -> None:
    """What was known of it does not come back when Keystone goes away afterwards."""
    keystone, known = Keystone(clocks.wall, 3600), tokens.Tokens(300)
    known.fetch(KEY, keystone)
    clocks.later(301)
    keystone.error = ValueError("revoked")
    with pytest.raises(ValueError, match="revoked"):
        known.fetch(KEY, keystone)
    keystone.error = tokens.unavailable()
    with pytest.raises(errors.Unavailable):
        known.fetch(KEY, keystone)


def test_memory_is_bounded_and_holds_no_token(
    clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MOST", 10)
    keystone, known = Keystone(clocks.wall, 3600), tokens.Tokens(300)
    for number in range(50):
        known.fetch(tokens.digest(f"secret-{number}"), keystone)
    assert len(known._entries) == 10
    assert "secret" not in repr(known._entries)
