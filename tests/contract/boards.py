"""Places to hang up boards, one per driver, for the contract suites."""

from __future__ import annotations

import abc
import contextlib
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kazoo.client import KazooClient

from funcflow import conf as funcflow_conf
from funcflow import ids
from funcflow.jobboards import base
from funcflow.jobboards.embedded import board as embedded
from funcflow.jobboards.embedded import file as embedded_file
from funcflow.jobboards.embedded import hub as embedded_hub
from funcflow.jobboards.embedded import sessions as embedded_sessions
from tests import waiting

SHARDS = 4
KINDS = ["embedded", "embedded-apart", "zookeeper"]


class Recorder(base.Listener):
    """Remembers what the board told."""

    def __init__(self) -> None:
        self.jobs = threading.Event()
        self.members = threading.Event()
        self.sessions: list[bool] = []
        self.topics: list[str] = []

    def on_jobs(self) -> None:
        self.jobs.set()

    def on_members(self) -> None:
        self.members.set()

    def on_session(self, alive: bool) -> None:
        self.sessions.append(alive)

    def on_announce(self, topic: str) -> None:
        self.topics.append(topic)


class Place(abc.ABC):
    """Makes boards that share one server or file, and stops them at the end."""

    def __init__(self, **overrides: dict[str, object]) -> None:
        overrides.setdefault("jobboard", {}).setdefault("shards", SHARDS)
        self.overrides = overrides
        self.started: list[Any] = []

    @abc.abstractmethod
    def make(self) -> Any:
        """A board that is not started yet."""

    def conf(self, **options: object) -> Any:
        overrides = {group: dict(values) for group, values in self.overrides.items()}
        overrides["jobboard"].update(options)
        return funcflow_conf.load(**overrides)

    def board(self, *, serve: bool = True, join: bool = True, listener: Any = None) -> Any:
        """A started board; a member of its own when ``serve`` and ``join``."""
        board = self.make()
        board.start(listener or Recorder(), serve=serve)
        self.started.append(board)
        if serve and join:
            name = f"member-{uuid.uuid4().hex}"
            board.join(base.Member(name, "127.0.0.1:1", 4))
            sees_itself = lambda: name in {member.name for member in board.members()}  # noqa: E731
            waiting.until(sees_itself, what="the member to see itself")
        return board

    @abc.abstractmethod
    def lose(self, board: Any) -> None:
        """End the board's session behind its back."""

    def close(self) -> None:
        for board in self.started:
            board.stop()


class EmbeddedPlace(Place):
    """``apart``: every board as if in a process of its own."""

    def __init__(self, folder: Path, *, apart: bool) -> None:
        super().__init__(default={"data_dir": str(folder)}, jobboard={"session_timeout": 2.0})
        self.folder = folder
        self.apart = apart

    def make(self) -> Any:
        if self.apart:
            embedded_hub._hubs.clear()
        return embedded.EmbeddedBoard(self.conf())

    def lose(self, board: Any) -> None:
        # What another process does once the lease is over.
        file = embedded_file.BoardFile(self.folder / "board.db")
        with embedded_file.transaction(file.db):
            embedded_sessions.remove(file.db, board._session.name)
            embedded_sessions.expire(file, 0)
        file.close()


class ZookeeperPlace(Place):
    def __init__(self, hosts: str) -> None:
        path = f"/contract-{uuid.uuid4().hex}"
        super().__init__(jobboard={"hosts": hosts, "path": path, "session_timeout": 4.0})
        self.hosts = hosts

    def make(self) -> Any:
        from funcflow.jobboards.zookeeper import board as zookeeper

        return zookeeper.ZookeeperBoard(self.conf())

    def lose(self, board: Any) -> None:
        # Whoever knows a session's id and password can close it.
        client_id = board.client_id
        thief = KazooClient(self.hosts, client_id=client_id)
        thief.start()
        thief.stop()
        thief.close()


@contextlib.contextmanager
def place(request: pytest.FixtureRequest, folder: Path) -> Iterator[Place]:
    """The place that a fixture's parameter, one of ``KINDS``, names."""
    if request.param == "zookeeper":
        a_place: Place = ZookeeperPlace(request.getfixturevalue("zookeeper"))
    else:
        a_place = EmbeddedPlace(folder, apart=request.param == "embedded-apart")
    try:
        yield a_place
    finally:
        a_place.close()


def see(board: Any, tickets: list[base.Ticket]) -> None:
    """Wait until exactly these are known to be free, oldest first."""
    wanted = sorted(tickets, key=lambda ticket: ticket.execution_id)
    every = range(board.shards)
    waiting.until(lambda: board.waiting(every) == wanted, what=f"{len(wanted)} free jobs")


def ticket(function_id: str | None = None, project_id: str | None = None) -> base.Ticket:
    return base.Ticket(ids.new(), project_id or uuid.uuid4().hex, function_id or str(uuid.uuid4()))


def tickets(count: int) -> list[base.Ticket]:
    """Sorted by age, as far as ids tell it."""
    return sorted((ticket() for _ in range(count)), key=lambda ticket: ticket.execution_id)


def drain(board: Any, done: Callable[[base.Ticket], None], stop: Callable[[], bool]) -> None:
    """Claim and consume whatever is free on the board's own shards until ``stop``."""
    while not stop():
        free = board.waiting()[:50]
        claims = board.claim(free) if free else []
        for claim in claims:
            done(claim.ticket)
        board.consume(claims)
        if not free:
            threading.Event().wait(0.002)
