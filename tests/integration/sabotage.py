"""A conductor that ends itself with SIGKILL at one point of its work.

As a program it is the real ``funcflow-conductor`` with one method of one of its parts wrapped;
:class:`Saboteur` is the service to start in its place.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import kazoo.client

from funcflow.cmd import conductor as program
from funcflow.conductor import conductor, ledger, runner
from funcflow.jobboards.zookeeper import board
from tools import cluster


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before(owner: type, name: str) -> None:
    """Die instead of calling the method."""
    setattr(owner, name, lambda *_, **__: die())


def after(owner: type, name: str, when: Callable[[Any], bool] = lambda _: True) -> None:
    """Die with the method done, before anybody learns its answer."""
    real = getattr(owner, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        answer = real(*args, **kwargs)
        if when(answer):
            die()
        return answer

    setattr(owner, name, wrapped)


def in_consume() -> None:
    """Die with the consuming request sent, before its answer."""
    consume, call = board.ZookeeperBoard.consume, kazoo.client.KazooClient._call
    consuming = threading.Event()

    def mark(self: Any, claims: Any) -> None:
        consuming.set()
        consume(self, claims)

    def call_and_die(self: Any, *args: Any) -> Any:
        sent = call(self, *args)
        if consuming.is_set():
            while self._queue:
                time.sleep(0)
            die()
        return sent

    board.ZookeeperBoard.consume = mark
    kazoo.client.KazooClient._call = call_and_die


def before_with_the_database(owner: type, name: str) -> None:
    """Take the database down (its process is in $FUNCFLOW_DATABASE_PID), once, and go on."""
    real, victims = getattr(owner, name), [int(os.environ.get("FUNCFLOW_DATABASE_PID", "0"))]

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        while victims:
            # With its backends, which would answer for a moment longer.
            os.killpg(victims.pop(), signal.SIGKILL)
        return real(*args, **kwargs)

    setattr(owner, name, wrapped)


POINTS: dict[str, Callable[[], None]] = {
    "before the claim": lambda: before(board.ZookeeperBoard, "claim"),
    "after the claim": lambda: after(board.ZookeeperBoard, "claim", bool),
    "after the start": lambda: before(runner.Runner, "_try"),
    "after the outcome": lambda: after(ledger.Ledger, "settle"),
    "in consume": in_consume,
    "after post and claim": lambda: after(board.ZookeeperBoard, "post_claimed"),
    "after the start, the database": lambda: before_with_the_database(runner.Runner, "_try"),
    "after the insert": lambda: after(conductor.Conductor, "_insert"),
}


class Saboteur(cluster.Conductor):
    """``point``: a key of POINTS, to be set before the start. ``victim``: id of the database's
    process, where that is what dies."""

    point = ""
    victim = 0

    def __init__(self, folder: Path, config_file: Path) -> None:
        super().__init__(folder, config_file)
        self._file = config_file

    def command(self) -> Sequence[str]:
        return [
            sys.executable, "-m", "tests.integration.sabotage", self.point,
            "--config-file", str(self._file),
        ]  # fmt: skip

    def environment(self) -> dict[str, str]:
        root = str(Path(__file__).resolve().parents[2])
        return {
            "PYTHONPATH": os.pathsep.join([root, *filter(None, sys.path)]),
            "FUNCFLOW_DATABASE_PID": str(self.victim),
        }


if __name__ == "__main__":
    POINTS[sys.argv[1]]()
    sys.exit(program.main(sys.argv[2:]))
