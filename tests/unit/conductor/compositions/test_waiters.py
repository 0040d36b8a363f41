"""Threads that wait: bounded, fair between projects."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from funcflow.conductor.compositions.waiters import Waiters
from tests.waiting import until


@pytest.fixture
def waiters() -> Iterator[Waiters]:
    made = Waiters("test", 8)
    yield made
    made.stop()


def test_everything_is_done(waiters: Waiters) -> None:
    done: list[int] = []
    for number in range(200):
        waiters.submit(f"p{number % 3}", lambda number=number: done.append(number))  # type: ignore[misc]
    until(lambda: len(done) == 200, what="all jobs")
    assert sorted(done) == list(range(200))


def test_a_job_that_breaks_harms_no_other(waiters: Waiters) -> None:
    def broken() -> None:
        raise ValueError("broken on purpose")

    done = threading.Event()
    for _ in range(20):
        waiters.submit("p", broken)
    waiters.submit("p", done.set)
    assert done.wait(10)


def test_one_project_leaves_room_for_others(waiters: Waiters) -> None:
    over = threading.Event()
    begun: list[str] = []

    def job(project: str) -> None:
        begun.append(project)
        over.wait(30)

    for _ in range(50):
        waiters.submit("greedy", lambda: job("greedy"))
    until(lambda: len(begun) == 7, what="the greedy project's share")
    waiters.submit("modest", lambda: job("modest"))
    until(lambda: "modest" in begun, what="the other project's turn")
    assert begun.count("greedy") == 7
    over.set()
    until(lambda: len(begun) == 51, what="all jobs")


def test_projects_take_turns() -> None:
    """With room for one only, nobody waits behind all jobs of somebody else."""
    waiters = Waiters("test", 1)
    gate, order = threading.Event(), list[str]()
    waiters.submit("first", lambda: void(gate.wait(30)))
    for project in ("a", "a", "a", "b"):
        waiters.submit(project, lambda project=project: order.append(project))  # type: ignore[misc]
    gate.set()
    until(lambda: len(order) == 4, what="all jobs")
    assert order.index("b") <= 1
    waiters.stop()


def void(_: object) -> None:
    """For what is called for its effect."""


def test_after_the_end_nothing_is_begun(waiters: Waiters) -> None:
    running, over = threading.Event(), threading.Event()
    done: list[str] = []

    def job() -> None:
        running.set()
        over.wait(30)
        done.append("under way")

    for _ in range(8):
        waiters.submit("p", job)
    waiters.submit("p", lambda: done.append("waiting"))
    assert running.wait(10)
    ending = threading.Thread(target=waiters.stop)
    ending.start()
    until(lambda: waiters._stopped, what="the end to have begun")
    over.set()
    ending.join(30)
    waiters.submit("p", lambda: done.append("late"))
    assert set(done) == {"under way"}
