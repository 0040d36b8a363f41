"""Celery with RabbitMQ, set up to lose nothing: late acknowledgement, durable queues.

``python -m benchmarks.peers.celery_peer`` prints its figures. Results go back over a reply
queue (``rpc://``), or into a database, which is what funcflow does too.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks import measure
from tools.services import postgres, process, rabbitmq

#: The clock is the machine's, so times of different processes compare.
WORKERS = 4
_ROOT = Path(__file__).resolve().parent.parent.parent


class Workers(process.Service):
    """Celery's worker processes."""

    name = "Celery"

    def __init__(self, folder: Path, broker: str, results: str) -> None:
        super().__init__(folder)
        self.notes = folder / "notes"
        self.notes.touch()
        self.settings = {
            "PEER_BROKER": broker,
            "PEER_RESULTS": results,
            "PEER_NOTES": str(self.notes),
            "PYTHONPATH": str(_ROOT),
        }

    def command(self) -> Sequence[str]:
        options = ["--concurrency", str(WORKERS), "--loglevel", "WARNING"]
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        celery = [sys.executable, "-m", "celery", "-A", "benchmarks.peers.celery_app"]
        return [*celery, "worker", *options, *quiet]

    def environment(self) -> Mapping[str, str]:
        return self.settings

    def answers(self) -> bool:
        return self.begun() > 0

    def begun(self) -> int:
        """How many runs there were so far."""
        note: int = _app(self.settings).NOTE.size
        return self.notes.stat().st_size // note

    def starts(self) -> dict[int, float]:
        """When the runs began, by number."""
        note = _app(self.settings).NOTE
        return {number: begin for number, begin, _ in note.iter_unpack(self.notes.read_bytes())}

    def forget(self) -> None:
        """Empty the file of times, between measurements."""
        os.truncate(self.notes, 0)


class Peer:
    """A started broker with workers."""

    def __init__(
        self, broker: rabbitmq.Broker, workers: Workers, database: postgres.Server | None
    ) -> None:
        self._servers = [server for server in (broker, workers, database) if server]
        self._workers = workers
        self._run = _app(workers.settings).run

    def watch(self) -> measure.Stopwatch:
        """Of all processes that take part."""
        pids = [server.pid for server in self._servers if server.pid]
        return measure.Stopwatch([os.getpid(), *pids])

    def sync(self, count: int, clients: int) -> measure.Figures:
        """Calls that wait for their results, ``clients`` of them under way at any time.

        One thread keeps them under way: reply queues do not work from several at once.
        """
        latencies: list[float] = []
        pending: dict[int, Any] = {}
        number = 0

        def call() -> None:
            begin, mine = time.perf_counter(), number

            def done(result: Any) -> None:
                latencies.append(time.perf_counter() - begin)
                del pending[mine]
                if result.result != {"size": 1, "number": mine}:
                    raise process.ServiceError(f"Celery answered {result.result}")

            pending[mine] = self._run.apply_async([mine])
            pending[mine].then(done)

        with self.watch() as watch:
            while len(latencies) < count:
                while len(pending) < clients and number < count:
                    call()
                    number += 1
                # Receives whatever comes until the oldest call's result is there.
                next(iter(pending.values())).get(timeout=60)
        return measure.figures(f"Celery, sync x{clients}", latencies, watch.seconds, watch.cpu)

    def post_to_start(self, count: int) -> measure.Figures:
        """From post to start of the function, one at a time."""
        self._workers.forget()
        posted = {}
        with self.watch() as watch:
            for number in range(count):
                posted[number] = time.perf_counter()
                self._run.apply_async([number], ignore_result=True)
                self._wait(number + 1)
        starts = self._workers.starts()
        waits = [starts[number] - begin for number, begin in posted.items()]
        return measure.figures("Celery, post to start", waits, watch.seconds, watch.cpu)

    def flood(self, count: int, clients: int, *, keep: bool) -> list[measure.Figures]:
        """Accept ``count`` calls while nobody works, then work them off.

        ``keep`` False: results are thrown away.
        """
        name = "results kept" if keep else "no results"
        self._workers.stop()
        self._workers.forget()

        def post(number: int) -> None:
            self._run.apply_async([number], ignore_result=not keep)

        with self.watch() as watch:
            latencies = measure.closed_loop(post, count, clients)
        accepted = measure.figures(
            f"Celery, accept x{clients}, {name}", latencies, watch.seconds, watch.cpu
        )
        self._workers.launch()
        self._wait(1)
        with self.watch() as watch:
            before = self._workers.begun()
            self._wait(count)
        drained = count - before
        rate, cpu = drained / watch.seconds, watch.cpu / drained
        return [accepted, measure.Figures(name=f"Celery, drain, {name}", rate=rate, cpu=cpu)]

    def _wait(self, count: int, timeout: float = 600.0) -> None:
        deadline = time.monotonic() + timeout
        while self._workers.begun() < count:
            if time.monotonic() > deadline or not self._workers.pid:
                raise process.ServiceError(f"Celery did not finish:\n{self._workers.tail()}")
            time.sleep(0.0005)


@contextlib.contextmanager
def peer(
    folder: Path, broker: rabbitmq.Broker, database: postgres.Server | None = None
) -> Iterator[Peer]:
    """Workers on a started broker; results over a reply queue, or into the database."""
    results = f"db+{database.url('postgres')}" if database else "rpc://"
    workers = Workers(folder, broker.url, results)
    app = _app(workers.settings)
    try:
        workers.launch()
        app.run.apply_async([-1], ignore_result=True)
        workers.wait_ready()
        yield Peer(broker, workers, database)
    finally:
        workers.stop()
        app.app.close()


def _app(settings: Mapping[str, str]) -> ModuleType:
    """The application with these settings, in our own process."""
    os.environ.update({name: settings[name] for name in settings if name.startswith("PEER_")})
    module = importlib.import_module("benchmarks.peers.celery_app")
    module.app.conf.update(
        broker_url=settings["PEER_BROKER"], result_backend=settings["PEER_RESULTS"]
    )
    return module


def main(count: int = 2000) -> list[measure.Figures]:
    """All figures, on a broker and a database of its own."""
    with process.workspace() as folder, contextlib.ExitStack() as stack:
        broker = rabbitmq.Broker(folder / "rabbitmq")
        database = postgres.Server(folder / "postgres", durable=True)
        for server in (broker, database):
            stack.callback(server.stop)
            server.start()
        rows = []
        with peer(folder / "rpc", broker) as fast:
            rows += [fast.sync(count // 4, 1), fast.sync(count, 16)]
            rows += [fast.post_to_start(count // 10), *fast.flood(count, 4, keep=False)]
        with peer(folder / "database", broker, database) as durable:
            rows += durable.flood(count, 4, keep=True)
        return rows


if __name__ == "__main__":
    print(measure.table("Celery with RabbitMQ", main(*map(int, sys.argv[1:]))))
