"""``python -m benchmarks.notifications``: what telling of executions costs, and how fast it goes.

First the warm path's two writes (a run begins, a run ends) with nobody, others and somebody to be
told, over SQLite in memory of the machine; then a backlog of events told by one conductor's
teller to a web server of this process, and through a real RabbitMQ.
"""

from __future__ import annotations

import argparse
import contextlib
import http.server
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from oslo_config import cfg

from benchmarks import measure
from funcflow import conf, ids, models, offload
from funcflow.conductor.notices import teller
from funcflow.db import executions, group, schema, subscriptions, watchers
from funcflow.db.engine import Database
from funcflow.states import State
from funcflow.stores.memory import MemoryStore
from funcflow.subscriptions import STATES, Destination, Subscription
from tools.services import process, rabbitmq

_PROJECT = "p"
#: A disk that costs nothing: the database's own work is what is measured.
_MEMORY = "/dev/shm"


def run(database: Database) -> None:
    """The two writes of a warm call."""
    now, key = time.time(), ids.new()
    row = models.Execution(
        id=key, project_id=_PROJECT, function_id="f", revision=1, state=State.RUNNING, attempts=1,
        epoch=1, owner="c", created_at=now, started_at=now, expires_at=now + 3600,
    )  # fmt: skip
    database.write(executions.Insert(row, True))
    database.write(
        executions.Settle(id=key, epoch=1, owner="c", state=State.SUCCEEDED, output="1", now=now)
    )


def subscribe(database: Database, project_id: str = _PROJECT, url: str = "http://x/") -> str:
    made = Subscription(
        id=ids.new(), project_id=project_id, states=STATES, created_at=time.time(),
        destination=Destination("http", {"url": url, "mode": "structured"}),
    )  # fmt: skip
    database.transact(lambda connection: subscriptions.create(connection, made, 1000))
    database.forget()
    return made.id


@contextlib.contextmanager
def databases(*wishes: watchers.Wish) -> Iterator[Database]:
    with tempfile.TemporaryDirectory(dir=_MEMORY) as folder:
        url = f"sqlite:///{folder}/db"
        schema.upgrade(url)
        database = Database(url, watching=wishes)
        try:
            yield database
        finally:
            database.close()


# -- the warm path ------------------------------------------------------------------------------


def costs(count: int, rounds: int) -> dict[str, float]:
    """Microseconds of CPU that the writes of one call take: the least of some rounds."""
    prepared: dict[str, tuple[Sequence[watchers.Wish], Callable[[Database], object]]] = {
        "nobody subscribed": ((), lambda _: None),
        "another project did": ((), lambda database: subscribe(database, "other")),
        "somebody did, to the ends": (watchers.standing("ends", False), lambda _: None),
        "somebody did, to all": ((), subscribe),
        "and ends and usage for the operator": (watchers.standing("ends", True), subscribe),
    }
    found: dict[str, list[float]] = {name: [] for name in prepared}
    with contextlib.ExitStack() as stack:
        made = {}
        for name, (wishes, prepare) in prepared.items():
            made[name] = stack.enter_context(databases(*wishes))
            prepare(made[name])
        for _ in range(rounds):
            for name, database in made.items():
                before = time.process_time()
                for _ in range(count):
                    run(database)
                found[name].append((time.process_time() - before) / count * 1e6)
    return {name: min(values) for name, values in found.items()}


def look(count: int) -> float:
    """Microseconds that is done for one change when nobody subscribed."""
    with databases() as database, database._writers.connect() as connection:
        watching = watchers.Watchers()
        batch = group.Batch(connection, "w", [])
        watching.write(batch)
        watching._known_until = time.monotonic() + 3600
        took = []
        for _ in range(5):
            before = time.process_time()
            for _ in range(count):
                batch.changed.append(("function", "id", "p", "running", "succeeded"))
                if batch.changed:
                    watching.write(batch)
            took.append((time.process_time() - before) / count * 1e6)
            batch.changed.clear()
        return min(took)


# -- the way out --------------------------------------------------------------------------------


class _Sink(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response_only(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextlib.contextmanager
def sink() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Sink)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def told(
    name: str, settings: dict[str, dict[str, Any]], urls: Sequence[str], calls: int
) -> measure.Figures:
    """Events of so many calls, two each and destination, that all wait when telling begins."""
    made: cfg.ConfigOpts = conf.load([], **settings)
    wishes = watchers.standing(made.notices.executions, made.notices.usage)
    with tempfile.TemporaryDirectory() as folder, databases(*wishes) as database:
        made.set_override("data_dir", folder)
        for url in urls:
            subscribe(database, url=url)
        for _ in range(calls):
            run(database)
        begun, cpu = time.monotonic(), time.process_time()
        working = teller.Teller(made, database, offload.Offload(MemoryStore(made), 1 << 18))
        total = calls * 2 * (len(urls) or 1)
        working.start()
        try:
            while working.metrics()["notices_told_total"] < total:
                time.sleep(0.01)
            seconds, spent = time.monotonic() - begun, time.process_time() - cpu
        finally:
            working.stop()
    return measure.Figures(name=name, rate=total / seconds, cpu=spent / total)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="calls a round")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    print(f"a change that nobody wants to know of   {look(20_000):8.2f} us CPU")
    found = costs(asked.count, asked.rounds)
    base = next(iter(found.values()))
    for name, each in found.items():
        print(f"two writes, {name:38}{each:8.1f} us CPU {each / base:6.2f}")
    inside = {"compositions": {"http_allow": "127.0.0.0/8"}}
    rows = []
    with sink() as url:
        rows.append(told("web server, one subscription", inside, [url], asked.count))
        rows.append(told("web server, four subscriptions", inside, [url] * 4, asked.count // 4))
    with process.workspace() as folder:
        broker = rabbitmq.Broker(Path(folder) / "broker")
        broker.start()
        try:
            transport = broker.url.replace("amqp:", "rabbit:")
            own = {"notices": {"executions": "all", "transport_url": transport}}
            rows.append(told("oslo.messaging, RabbitMQ", own, [], asked.count))
        finally:
            broker.stop()
    print(measure.table("Events told by one conductor", rows))


if __name__ == "__main__":
    main()
