"""funcflow spread out: one API, one conductor, durable ZooKeeper and PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import embedded, measure
from benchmarks import http as load
from tools import cluster
from tools.services import postgres, process, zookeeper


class Spread:
    """A running cluster, and everything it stands on."""

    def __init__(self, made: cluster.Cluster, servers: list[process.Service]) -> None:
        self.cluster = made
        self.url = made.url
        self.pids = [part.pid for part in (*made.parts, *servers) if part.pid]


@contextlib.contextmanager
def spread() -> Iterator[Spread]:
    with process.workspace() as folder, contextlib.ExitStack() as stack:
        keeper = zookeeper.Node(folder / "zookeeper", durable=True)
        database = postgres.Server(folder / "postgres", durable=True)
        for server in (keeper, database):
            stack.callback(server.stop)
            server.start()
        url = stack.enter_context(database.database())
        made = cluster.Cluster(Path(folder) / "funcflow", keeper.hosts, url)
        stack.callback(made.stop)
        made.start()
        yield Spread(made, [keeper, database])


def warm(it: Spread, count: int) -> list[measure.Figures]:
    """Synchronous calls with one client and with sixteen."""
    load.post(f"{it.url}/v1/executions", max(32, count // 5), 16, embedded.BODY)
    return [
        embedded.calls("funcflow durable, sync x1", it.url, it.pids, count, 1),
        embedded.calls("funcflow durable, sync x16", it.url, it.pids, count * 2, 16),
    ]


def asynchronous(it: Spread, count: int) -> list[measure.Figures]:
    """Calls accepted while the conductor works them off at the same time, and from post
    to start with one call at a time."""
    with measure.Stopwatch([os.getpid(), *it.pids]) as watch:
        times = load.post(f"{it.url}/v1/executions", count, 16, {**embedded.BODY, "sync": False})
        wait_drained(it.url)
    rate, cpu = count / watch.seconds, watch.cpu / count
    return [
        measure.figures("funcflow durable, accept x16", times, sum(times) / 16, watch.cpu),
        measure.Figures(name="funcflow durable, accept and drain", rate=rate, cpu=cpu),
        post_to_start(it, max(20, count // 30)),
    ]


def wait_drained(url: str) -> None:
    """Until nothing is queued or running any more."""
    while sum(
        embedded.metric(url, f'funcflow_executions{{state="{state}"}}')
        for state in ("queued", "running")
    ):
        time.sleep(0.02)


def post_to_start(it: Spread, count: int) -> measure.Figures:
    """From acceptance to the start of the run, as the executions' records tell."""
    waits = []
    with measure.Stopwatch([os.getpid(), *it.pids]) as watch:
        for _ in range(count):
            _, body = cluster.request(
                it.url, "POST", "/v1/executions", {**embedded.BODY, "sync": False}
            )
            waits.append(ended(it.url, body["id"])["usage"]["queue"])
    return measure.figures("funcflow durable, post to start", waits, watch.seconds, watch.cpu)


def ended(url: str, execution_id: str) -> Any:
    """The execution, once it has succeeded."""
    while True:
        _, row = cluster.request(url, "GET", f"/v1/executions/{execution_id}")
        if row["state"] == "succeeded":
            return row
        time.sleep(0.005)


def backlog(sizes: list[int]) -> list[measure.Figures]:
    """Backlogs of growing size: accepted while there is no conductor, then drained by one.
    What a job costs must not grow with the size."""
    rows = []
    with spread() as it:
        embedded.deploy(it.url)
        (conductor,) = it.cluster.conductors
        others = [pid for pid in it.pids if pid != conductor.pid]
        for size in sizes:
            conductor.stop()
            body = {**embedded.BODY, "sync": False}
            with measure.Stopwatch([os.getpid(), *others]) as watch:
                times = load.post(f"{it.url}/v1/executions", size, 16, body)
            name = f"accept {size:,}"
            rows.append(measure.figures(name, times, sum(times) / 16, watch.cpu))
            conductor.start()
            pids = [*others, *([conductor.pid] if conductor.pid else [])]
            with measure.Stopwatch(pids) as watch:
                wait_drained(it.url)
            rate, cpu = size / watch.seconds, watch.cpu / size
            rows.append(measure.Figures(name=f"drain {size:,}", rate=rate, cpu=cpu))
    return rows
