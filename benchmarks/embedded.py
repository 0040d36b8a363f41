"""The embedded server (what ``make run`` starts): start, memory, warm calls, cold starts."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import http as load
from benchmarks import measure
from tools import cluster
from tools.services import process

SOURCE = (Path(__file__).parent / "function.py").read_text()
#: Workers that may live in the measurement of cold starts.
LIVE = 8
BODY = {"function_id": "echo", "input": {"number": 1}}


class Embedded:
    """``funcflow up`` in a folder of its own."""

    def __init__(self, folder: Path, settings: str = "") -> None:
        config_file = folder / "funcflow.conf"
        config_file.write_text(settings)
        began = time.perf_counter()
        port = process.free_port()
        self.url = f"http://{process.HOST}:{port}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "funcflow.cli.main", "up", "--port", str(port),
             "--data-dir", str(folder), "--config-file", str(config_file)],
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        self.pid = self._process.pid
        while not self._answers():
            time.sleep(0.005)
        #: Seconds from the command to the first answer.
        self.start = time.perf_counter() - began

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise process.ServiceError("funcflow up ended at its start")
        try:
            return cluster.request(self.url, "GET", "/healthz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False


@contextmanager
def embedded(settings: str = "") -> Iterator[Embedded]:
    with tempfile.TemporaryDirectory(prefix="funcflow-bench-") as folder:
        server = Embedded(Path(folder), settings)
        try:
            yield server
        finally:
            server.stop()


def deploy(url: str, name: str = "echo", source: str = SOURCE, **fields: object) -> str:
    """A Python function, one run at a time per worker; its id."""
    body = {"name": name, "runtime": "python3", "source": source, "entry": "main.main",
            "concurrency": 1, **fields}  # fmt: skip
    status, answer = cluster.request(url, "POST", "/v1/functions", body)
    if status != 201:
        raise process.ServiceError(f"the function could not be made: {status} {answer}")
    return str(answer["id"])


def calls(
    name: str, url: str, pids: list[int], count: int, clients: int, **body: object
) -> measure.Figures:
    """Calls over HTTP from a process of their own."""
    with measure.Stopwatch([os.getpid(), *pids]) as watch:
        times = load.post(f"{url}/v1/executions", count, clients, {**BODY, **body})
    # The generator's start is not part of it.
    seconds = sum(times) / clients
    return measure.figures(name, times, seconds, watch.cpu)


def idle() -> str:
    """Start-up and idle memory, in words."""
    with embedded() as server:
        first = cluster.request(server.url, "GET", "/v1/functions")
        if first[0] != 200:
            raise process.ServiceError(f"no answer: {first}")
        time.sleep(1.0)
        used = measure.memory([server.pid]) / 2**20
        return (
            f"start to first answer {server.start:.2f} s (aim 2 s); "
            f"idle memory of all its processes {used:.0f} MB (aim 200 MB)"
        )


def warm(count: int) -> list[measure.Figures]:
    """Synchronous calls with one client and with sixteen."""
    with embedded() as server:
        deploy(server.url)
        load.post(f"{server.url}/v1/executions", max(32, count // 10), 16, BODY)
        return [
            calls("funcflow embedded, sync x1", server.url, [server.pid], count, 1),
            calls("funcflow embedded, sync x16", server.url, [server.pid], count * 2, 16),
        ]


def cold(count: int) -> tuple[list[measure.Figures], str]:
    """Functions called in turn, more of them than workers may live: every call is a cold
    start and ends an idle worker, so memory must stay flat."""
    with embedded(f"[sandbox]\nmax_workers = {LIVE}\n") as server:
        names = [f"cold{number}" for number in range(2 * LIVE)]
        for name in names:
            deploy(server.url, name)
        for name in names:
            call_cold(server.url, name)
        before = measure.memory([server.pid])
        startups, totals = [], []
        with measure.Stopwatch([server.pid]) as watch:
            for number in range(count):
                total, startup = call_cold(server.url, names[number % len(names)])
                totals.append(total)
                startups.append(startup)
        after = measure.memory([server.pid])
    rows = [
        measure.figures("cold: start-up of the worker", startups, watch.seconds, watch.cpu),
        measure.figures("cold: whole call", totals, watch.seconds, watch.cpu),
    ]
    note = (
        f"{count} cold starts at {count / watch.seconds * 60:.0f} a minute (aim 200); memory "
        f"{before / 2**20:.0f} MB before, {after / 2**20:.0f} MB after, {LIVE} workers at a time"
    )
    return rows, note


def call_cold(url: str, name: str) -> tuple[float, float]:
    """Seconds of the whole call, and of the worker's start-up."""
    began = time.perf_counter()
    status, answer = cluster.request(url, "POST", "/v1/executions", {"function_id": name})
    took = time.perf_counter() - began
    if status != 201 or not answer["usage"]["cold"]:
        raise process.ServiceError(f"not a cold start: {status} {answer}")
    return took, answer["usage"]["startup"]


def metric(url: str, name: str) -> float:
    """A sample of ``/metrics``, summed over its other labels; 0 when there is none."""
    _, text = cluster.request(url, "GET", "/metrics")
    lines = [line for line in str(text).splitlines() if line.startswith(name)]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)
