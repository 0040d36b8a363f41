"""Threads that go on with what their jobs lead to, and keep nobody waiting by that."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from funcflow.conductor.compositions.crew import Crew
from tests.waiting import until


@pytest.fixture
def crew() -> Iterator[Crew]:
    made = Crew(3)
    yield made
    made.stop()


class Threads:
    """Which thread did what."""

    def __init__(self) -> None:
        self.by_job: dict[str, str] = {}

    def note(self, job: str) -> None:
        self.by_job[job] = threading.current_thread().name

    def all_of(self, *jobs: str) -> set[str]:
        until(lambda: set(jobs) <= set(self.by_job), what=f"{jobs} to be done")
        return {self.by_job[job] for job in jobs}


def test_a_chain_stays_in_one_thread(crew: Crew) -> None:
    threads = Threads()

    def turn(left: int) -> None:
        threads.note(f"turn {left}")
        if left:
            crew.run(lambda: run(left))

    def run(left: int) -> None:
        threads.note(f"run {left}")
        crew.turn(lambda: turn(left - 1))

    crew.turn(lambda: turn(3))
    assert len(threads.all_of("turn 3", "run 3", "turn 2", "turn 0")) == 1


def test_nothing_waits_behind_a_run(crew: Crew) -> None:
    threads, done = Threads(), threading.Event()

    def long() -> None:
        done.wait(10)

    def turn() -> None:
        crew.run(long)
        crew.run(lambda: threads.note("second run"))
        crew.turn(lambda: threads.note("turn"))

    crew.turn(turn)
    threads.all_of("second run", "turn")
    assert not done.is_set()
    done.set()


def test_a_job_that_breaks_ends_nothing_else(crew: Crew) -> None:
    threads = Threads()

    def broken() -> None:
        crew.turn(lambda: threads.note("what it led to"))
        raise RuntimeError("broken")

    crew.turn(broken)
    crew.soon(lambda: threads.note("another"))
    threads.all_of("what it led to", "another")


def test_a_lent_thread_works_for_its_owner_alone(crew: Crew) -> None:
    threads = Threads()

    def job() -> None:
        crew.turn(lambda: threads.note("of somebody else"), "other")
        crew.turn(lambda: threads.note("its own"), "me")

    crew.lend(job, "me", time.monotonic() + 60)
    me = threading.current_thread().name
    assert threads.all_of("its own") == {me}
    assert threads.all_of("of somebody else") != {me}


def test_a_lent_thread_begins_nothing_that_may_take_too_long(crew: Crew) -> None:
    threads = Threads()

    def job() -> None:
        crew.run(lambda: threads.note("long"), "me", longest=120)
        crew.run(lambda: threads.note("short"), "me", longest=1)

    crew.lend(job, "me", time.monotonic() + 60)
    me = threading.current_thread().name
    assert threads.all_of("short") == {me}
    assert threads.all_of("long") != {me}


def test_there_are_only_so_many_threads(crew: Crew) -> None:
    running, most, lock, go_on = 0, 0, threading.Lock(), threading.Event()

    def job() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        go_on.wait(10)
        with lock:
            running -= 1

    for _ in range(10):
        crew.soon(job)
    until(lambda: running == 3, what="all threads to work")
    go_on.set()
    until(lambda: running == 0, what="all jobs to end")
    assert most == 3


def test_what_goes_on_computing_steps_back_and_projects_take_turns() -> None:
    crew = Crew(1)
    order: list[str] = []
    go_on = threading.Event()

    def busy() -> None:
        go_on.wait(10)

    crew.soon(busy)
    for n in range(3):
        crew.later(lambda n=n: order.append(f"a{n}"), "a")  # type: ignore[misc]
    crew.later(lambda: order.append("b0"), "b")
    crew.soon(lambda: order.append("soon"))
    go_on.set()
    until(lambda: len(order) == 5, what="all to be done")
    assert order == ["soon", "a0", "b0", "a1", "a2"]
    crew.stop()


def test_only_some_threads_compute(crew: Crew) -> None:
    go_on, threads = threading.Event(), Threads()

    def compute() -> None:
        threads.note(threading.current_thread().name)
        go_on.wait(10)

    for _ in range(5):
        crew.later(compute, "a")
    until(lambda: len(threads.by_job) == 2, what="two to compute")
    crew.soon(lambda: threads.note("meanwhile"))
    threads.all_of("meanwhile")
    assert len(threads.by_job) == 3
    go_on.set()


def test_after_the_end_nothing_is_begun(crew: Crew) -> None:
    crew.stop()
    crew.soon(lambda: pytest.fail("it was begun"))
