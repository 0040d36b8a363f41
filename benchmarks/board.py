"""What the jobboards cost: time and CPU of each operation, and of a drain.

    python -m benchmarks.board [--hosts HOST:PORT] [--drain 10000] [--limit 60]
        [--only zookeeper|embedded|stock]

Without ``--hosts`` it starts a ZooKeeper of its own, which waits for the disk. CPU is that
of this process; ZooKeeper's own is not in it.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from taskflow import exceptions
from taskflow.jobs.backends.impl_zookeeper import ZookeeperJobBoard as Stock

from funcflow import conf as funcflow_conf
from funcflow import ids
from funcflow.jobboards import base
from funcflow.jobboards.embedded.board import EmbeddedBoard
from funcflow.jobboards.zookeeper.board import ZookeeperBoard
from funcflow.jobboards.zookeeper.taskflow_board import ZookeeperJobBoard
from tools.services import process
from tools.services import zookeeper as zk

FUNCTIONS = [str(uuid.uuid4()) for _ in range(64)]
PROJECT = uuid.uuid4().hex


def tickets(count: int) -> list[base.Ticket]:
    return [base.Ticket(ids.new(), PROJECT, FUNCTIONS[n % 64]) for n in range(count)]


def report(name: str, times: list[float], cpu: float, wall: float, each: int = 1) -> None:
    """One line; ``each``: jobs per call."""
    times.sort()
    jobs = len(times) * each
    p50, p99 = statistics.median(times), times[int(len(times) * 0.99)]
    print(
        f"{name:42} p50 {p50 * 1e3:8.3f} ms  p99 {p99 * 1e3:8.3f} ms"
        f"  CPU {cpu / jobs * 1e6:7.1f} us/job  {jobs / wall:8.0f} jobs/s",
        flush=True,
    )


def measure(name: str, call: Callable[[], None], calls: int, threads: int, each: int = 1) -> None:
    times: list[float] = []

    def work() -> None:
        for _ in range(calls // threads):
            started = time.perf_counter()
            call()
            times.append(time.perf_counter() - started)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    cpu, wall = time.process_time(), time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    report(name, times, time.process_time() - cpu, time.perf_counter() - wall, each)


@contextlib.contextmanager
def running(kind: Any, conf: Any) -> Iterator[Any]:
    board = kind(conf)
    board.start(base.Listener(), serve=True)
    board.join(base.Member(f"bench-{uuid.uuid4().hex}"))
    while len(board.own_shards()) < board.shards:
        time.sleep(0.01)
    try:
        yield board
    finally:
        board.stop()


def operations(name: str, kind: Any, conf: Any, drain: int) -> None:
    with running(kind, conf) as board:

        def once() -> None:
            board.consume(board.post_claimed(tickets(1)))

        measure(f"{name}: post_claimed + consume, 1 caller", once, 1000, 1)
        measure(f"{name}: post_claimed + consume, 16 callers", once, 4000, 16)
        batches = [tickets(100) for _ in range(20)]
        posts, claims = iter(batches), iter(batches)
        won: list[list[base.Claim]] = []
        measure(f"{name}: post 100", lambda: board.post(next(posts)), 20, 1, 100)
        measure(f"{name}: claim 100", lambda: won.append(board.claim(next(claims))), 20, 1, 100)
        consumes = iter(won)
        measure(f"{name}: consume 100", lambda: board.consume(next(consumes)), 20, 1, 100)
        drain_board(name, board, drain)


def drain_board(name: str, board: Any, count: int) -> None:
    backlog = tickets(count)
    for at in range(0, count, 100):
        board.post(backlog[at : at + 100])
    while board.depth() < count:
        time.sleep(0.01)
    times: list[float] = []
    cpu, wall = time.process_time(), time.perf_counter()
    left = count
    while left:
        started = time.perf_counter()
        claims = board.claim(board.waiting()[:32])
        board.consume(claims)
        left -= len(claims)
        times += [time.perf_counter() - started] * len(claims)
    report(f"{name}: drain {count}", times, time.process_time() - cpu, time.perf_counter() - wall)


def stock(hosts: str, count: int, limit: float) -> None:
    """TaskFlow boards, the way a conductor uses them, without running any flow; first
    TaskFlow's own, then ours. What is not done after ``limit`` seconds is left."""
    for kind in (Stock, ZookeeperJobBoard):
        path = f"/bench-{uuid.uuid4().hex}"
        conf = funcflow_conf.load(jobboard={"hosts": hosts, "path": path, "shards": 1})
        with running(ZookeeperBoard, conf) as poster:
            backlog = tickets(count)
            for at in range(0, count, 100):
                poster.post(backlog[at : at + 100])
        described = {"hosts": hosts, "path": f"{path}/s00/jobs", "check_compatible": False}
        board = kind("stock", described, emit_notifications=False)
        cpu, wall = time.process_time(), time.perf_counter()
        board.connect()
        times: list[float] = []
        while len(times) < count and time.perf_counter() < wall + limit:
            for job in board.iterjobs():
                started = time.perf_counter()
                with contextlib.suppress(exceptions.NotFound, exceptions.UnclaimableJob):
                    board.claim(job, "me")
                    board.consume(job, "me")
                    times.append(time.perf_counter() - started)
                if started > wall + limit:
                    break
        name = f"{kind.__module__.split('.')[0]}'s TaskFlow board: {len(times)} of {count}"
        report(name, times, time.process_time() - cpu, time.perf_counter() - wall)
        board.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", help="host:port of a ZooKeeper; default: one of its own")
    parser.add_argument("--drain", type=int, default=10_000, help="jobs of the drain")
    parser.add_argument("--limit", type=float, default=60, help="seconds of TaskFlow's drain")
    parser.add_argument("--only", choices=["zookeeper", "embedded", "stock"])
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        if options.only in (None, "embedded"):
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            conf = funcflow_conf.load(default={"data_dir": folder})
            operations("embedded", EmbeddedBoard, conf, options.drain)
        if options.only == "embedded":
            return
        hosts = options.hosts
        if not hosts:
            node = zk.Node(Path(stack.enter_context(process.workspace())), durable=True)
            stack.callback(node.kill)
            node.start()
            hosts = node.hosts
        if options.only != "stock":
            path = f"/bench-{uuid.uuid4().hex}"
            conf = funcflow_conf.load(jobboard={"hosts": hosts, "path": path})
            operations("zookeeper", ZookeeperBoard, conf, options.drain)
        if options.only != "zookeeper":
            stock(hosts, options.drain, options.limit)


if __name__ == "__main__":
    main()
