"""TaskFlow as it comes: its ZooKeeper jobboard and its non-blocking conductor.

``python -m benchmarks.peers.stock_taskflow`` prints its figures. Poster and conductor share
one process and flow details stay in memory, which favours the peer: nothing but the job
itself is durable.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

from taskflow import engines, task
from taskflow.conductors import backends as conductors
from taskflow.jobs import backends as jobboards
from taskflow.patterns import linear_flow
from taskflow.persistence import backends as persistences
from taskflow.persistence import models

from benchmarks import function, measure
from tools.services import process, zookeeper

#: When each job began and ended, by its number; flow factories take plain data only.
_BEGUN: dict[int, float] = {}
_ENDED: dict[int, float] = {}


class Run(task.Task):  # type: ignore[misc]
    """Runs the function and notes the time."""

    def execute(self, number: int) -> dict[str, Any]:
        _BEGUN[number] = time.perf_counter()
        result = function.main(number=number)
        _ENDED[number] = time.perf_counter()
        return result


def make_flow() -> linear_flow.Flow:
    """One task; found by its name in the job's details."""
    return linear_flow.Flow("invoke").add(Run("run"))


class Peer:
    """A started conductor and a board to post on."""

    def __init__(self, hosts: str) -> None:
        self._persistence = persistences.fetch({"connection": "memory"})
        with contextlib.closing(self._persistence.get_connection()) as connection:
            connection.upgrade()
        conf = {
            "board": "zookeeper",
            "hosts": hosts,
            "path": f"/stock-{uuid.uuid4().hex}",
            "check_compatible": False,
        }
        self._board = jobboards.fetch("stock", conf, persistence=self._persistence)
        self._board.connect()
        self._conductor = conductors.fetch(
            "nonblocking", "stock", self._board, persistence=self._persistence, engine="serial"
        )
        self._thread = threading.Thread(target=self._conductor.run, name="stock-conductor")
        _BEGUN.clear()
        _ENDED.clear()

    def serve(self) -> None:
        """Let the conductor claim."""
        self._thread.start()

    def close(self) -> None:
        """End the conductor and disconnect."""
        if self._thread.is_alive():
            self._conductor.stop()
            self._thread.join()
        self._conductor.close()
        self._board.close()
        self._persistence.close()

    def post(self, number: int) -> None:
        """Put one job on the board."""
        book = models.LogBook(f"book-{number}")
        detail = models.FlowDetail(f"flow-{number}", uuid=str(uuid.uuid4()))
        book.add(detail)
        engines.save_factory_details(detail, make_flow, [], {})
        with contextlib.closing(self._persistence.get_connection()) as connection:
            connection.save_logbook(book)
        details = {"flow_uuid": detail.uuid, "store": {"number": number}}
        self._board.post(f"job-{number}", book=book, details=details)

    @staticmethod
    def wait(count: int, timeout: float = 600.0) -> None:
        """Until ``count`` jobs have ended."""
        deadline = time.monotonic() + timeout
        while len(_ENDED) < count:
            if time.monotonic() > deadline:
                raise process.ServiceError(f"{len(_ENDED)} of {count} jobs ended")
            time.sleep(0.001)


@contextlib.contextmanager
def _peer(hosts: str) -> Iterator[Peer]:
    peer = Peer(hosts)
    try:
        yield peer
    finally:
        peer.close()


def post_to_start(server: zookeeper.Node, count: int = 20) -> measure.Figures:
    """From post to start of the function, one job at a time on an idle board."""
    with _peer(server.hosts) as peer, _watch(server) as watch:
        peer.serve()
        waits = []
        for number in range(count):
            posted = time.perf_counter()
            peer.post(number)
            peer.wait(number + 1)
            waits.append(_BEGUN[number] - posted)
    return measure.figures("TaskFlow, post to start", waits, watch.seconds, watch.cpu)


def drain(server: zookeeper.Node, count: int = 300) -> list[measure.Figures]:
    """How fast jobs are accepted while nobody claims, then how fast they are worked off."""
    with _peer(server.hosts) as peer:
        with _watch(server) as watch:
            latencies = measure.closed_loop(peer.post, count, clients=1)
        accepted = measure.figures("TaskFlow, accept", latencies, watch.seconds, watch.cpu)
        with _watch(server) as watch:
            peer.serve()
            peer.wait(count)
    drained = measure.Figures(
        name="TaskFlow, drain", rate=count / watch.seconds, cpu=watch.cpu / count
    )
    return [accepted, drained]


def _watch(server: zookeeper.Node) -> measure.Stopwatch:
    return measure.Stopwatch([os.getpid(), *([server.pid] if server.pid else [])])


def main(count: int = 300) -> list[measure.Figures]:
    """All figures, on a ZooKeeper of its own."""
    with process.workspace() as folder:
        server = zookeeper.Node(folder / "zookeeper", durable=True)
        try:
            server.start()
            return [post_to_start(server, max(2, count // 15)), *drain(server, count)]
        finally:
            server.stop()


if __name__ == "__main__":
    print(measure.table("Stock TaskFlow", main(*map(int, sys.argv[1:]))))
