"""Members of a board in processes of their own: frozen, killed, stopped."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from funcflow.jobboards import base
from tests import waiting
from tests.contract import boards


class Process:
    """A running :mod:`tests.integration.board_member`."""

    def __init__(self, place: boards.Place) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.board_member", json.dumps(place.overrides)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.answer() == "ready"

    def tell(self, command: str) -> None:
        assert self.popen.stdin
        self.popen.stdin.write(command + "\n")
        self.popen.stdin.flush()

    def answer(self) -> Any:
        assert self.popen.stdout
        return json.loads(self.popen.stdout.readline())

    def ask(self, command: str) -> Any:
        self.tell(command)
        return self.answer()

    def signal(self, number: int) -> None:
        self.popen.send_signal(number)

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.signal(signal.SIGCONT)
        with contextlib.suppress(BrokenPipeError):
            self.popen.stdin.close()  # type: ignore[union-attr]
        try:
            self.popen.wait(10)
        finally:
            self.popen.kill()
            self.popen.wait()
            self.popen.stdout.close()  # type: ignore[union-attr]


@pytest.fixture(params=["embedded", "zookeeper"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[boards.Place]:
    with boards.place(request, tmp_path) as a_place:
        a_place.overrides["jobboard"] |= {"driver": request.param, "session_timeout": 2.0}
        yield a_place


@pytest.fixture
def member(place: boards.Place) -> Iterator[Process]:
    process = Process(place)
    yield process
    process.close()


def free(board: Any, tickets: list[base.Ticket]) -> None:
    every = range(board.shards)
    waiting.until(lambda: board.waiting(every) == tickets, timeout=20, what="the jobs to be free")


def claimed_by(member: Process, board: Any, tickets: list[base.Ticket]) -> list[int]:
    """Post, have the process claim all; the epochs."""
    board.post(tickets)
    waiting.until(lambda: len(board.members()) == 2, what="both members")
    epochs: dict[str, int] = {}

    def all_claimed() -> bool:
        epochs.update(member.ask("claim"))
        return len(epochs) == len(tickets)

    waiting.until(all_claimed, what="the process to claim all")
    free(board, [])
    return list(epochs.values())


def test_a_frozen_member_is_fenced(place: boards.Place, member: Process) -> None:
    board = place.board()
    tickets = boards.tickets(1)
    [epoch] = claimed_by(member, board, tickets)
    assert member.ask("holds") == [True]

    member.signal(signal.SIGSTOP)
    free(board, tickets)
    [claim] = board.claim(tickets)
    assert claim.epoch > epoch

    # The first thing it does when it wakes: before it has heard from anybody.
    member.tell("holds")
    member.signal(signal.SIGCONT)
    assert member.answer() == [False]
    assert member.ask("consume") in ("done", "unavailable")
    assert board.holds(claim)
    assert board.posted(board.shard_of(tickets[0].function_id)) == {tickets[0].execution_id}
    waiting.until(lambda: member.ask("sessions") == [True, False, True], what="its new session")
    waiting.until(lambda: len(board.members()) == 2, what="it to be a member again")
    assert member.ask("consume") == "done"
    assert member.ask("release") == "done"
    assert board.claim(tickets) == []
    assert board.holds(claim)


def test_a_killed_members_jobs_are_free(place: boards.Place, member: Process) -> None:
    board = place.board()
    tickets = boards.tickets(5)
    epochs = claimed_by(member, board, tickets)
    member.signal(signal.SIGKILL)
    free(board, tickets)
    claims = board.claim(tickets)
    assert len(claims) == 5
    assert min(claim.epoch for claim in claims) > max(epochs)
    waiting.until(lambda: len(board.members()) == 1, what="the dead member to be gone")


def test_a_stopped_members_jobs_are_free(place: boards.Place, member: Process) -> None:
    board = place.board()
    tickets = boards.tickets(5)
    claimed_by(member, board, tickets)
    member.close()
    free(board, tickets)
    assert len(board.members()) == 1


def test_work_and_news_pass_between_processes(place: boards.Place, member: Process) -> None:
    listener = boards.Recorder()
    board = place.board(listener=listener)
    tickets = boards.tickets(20)
    claimed_by(member, board, tickets[:10])
    mine = board.post_claimed(tickets[10:])
    assert member.ask("claim") == []
    board.consume(mine)
    assert member.ask("consume") == "done"
    every = range(board.shards)
    waiting.until(lambda: not any(board.posted(shard) for shard in every), what="an empty board")
