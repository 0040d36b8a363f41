"""Rounds of work beside the runs of a conductor."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from funcflow import errors
from funcflow.conductor.rounds import Rounds
from tests.waiting import until

Make = Callable[..., Rounds]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Rounds] = []

    def one(work: Callable[[], object], pause: float) -> Rounds:
        made.append(Rounds("things", work, pause))
        made[-1].start()
        return made[-1]

    yield one
    for rounds in made:
        rounds.stop()


def test_while_there_is_more_nobody_pauses(make: Make) -> None:
    left = [3, 2, 1, 0]
    make(lambda: left.pop(0) if left else 0, pause=3600)
    until(lambda: not left, what="all rounds but the pause")


def test_who_wakes_it_ends_the_pause(make: Make) -> None:
    begun = threading.Semaphore(0)
    rounds = make(begun.release, pause=3600)
    assert begun.acquire(timeout=60)
    rounds.wake()
    assert begun.acquire(timeout=60)


@pytest.mark.parametrize(
    ("mistake", "level"), [(errors.Unavailable("away"), "WARNING"), (KeyError("x"), "ERROR")]
)
def test_what_goes_wrong_is_told_and_tried_again(
    make: Make, caplog: pytest.LogCaptureFixture, mistake: Exception, level: str
) -> None:
    mistakes = [mistake]
    over = threading.Event()

    def work() -> None:
        if mistakes:
            raise mistakes.pop()
        over.set()

    with caplog.at_level(logging.WARNING):
        make(work, pause=0.01)
        assert over.wait(60)
    assert [record.levelname for record in caplog.records] == [level]
    assert "things" in caplog.text


def test_it_stops_before_it_was_started() -> None:
    Rounds("things", list, 1.0).stop()
