"""What the fault tests share: clusters, calls, and looks from outside.

What user code did is told by user code itself: it reports to a :class:`Witness`.
"""

from __future__ import annotations

import configparser
import contextlib
import http.client
import json
import socket
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import kazoo.client
import kazoo.exceptions

from funcflow.jobboards import tickets
from tests import load
from tests.waiting import until
from tools import cluster
from tools.services import process

#: Tells the witness its key when it starts; sleeps; returns the key.
WITNESSED = """
import socket
import time

def main(key, port, seconds=0):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.sendto(key.encode(), ("127.0.0.1", port))
    print("ran", key, flush=True)
    time.sleep(seconds)
    return key
"""
#: Functions may reach the witness.
NETWORK = {"network": "host"}


class Witness:
    """Counts how often user code ran, by key."""

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Witness:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
            link.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while key := self._socket.recv(1000).decode():
            self.runs[key] += 1

    def input(self, key: str, seconds: float = 0) -> dict[str, Any]:
        """The input with which ``WITNESSED`` reports here."""
        return {"key": key, "port": self.port, "seconds": seconds}


class Embedded(process.Service):
    """``funcflow up`` as a process. ``settings``: {group: {name: value}}."""

    name = "funcflow up"
    death_signal = "TERM"

    def __init__(self, folder: Path, settings: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__(folder)
        self.port = process.free_port()
        self.data = folder / "data"
        self.file = folder / "funcflow.conf"
        self.configure(settings)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> Path:
        return self.data / "funcflow.db"

    def configure(self, settings: Mapping[str, Mapping[str, Any]]) -> None:
        """Takes effect at the next start."""
        parser = configparser.RawConfigParser()
        defaults = {**settings.get("DEFAULT", {}), "data_dir": self.data}
        parser.read_dict({**settings, "DEFAULT": defaults})
        with self.file.open("w") as file:
            parser.write(file)

    def command(self) -> Sequence[str]:
        options = ["--port", str(self.port), "--config-file", str(self.file)]
        return [sys.executable, "-m", "funcflow.cli.main", "up", *options]

    def answers(self) -> bool:
        try:
            return cluster.request(self.url, "GET", "/readyz")[0] == 200
        except http.client.HTTPException:
            return False


@contextlib.contextmanager
def embedded(settings: Mapping[str, Mapping[str, Any]] | None = None) -> Iterator[Embedded]:
    """A started embedded server with a data folder of its own."""
    with tempfile.TemporaryDirectory(prefix="funcflow-") as folder:
        server = Embedded(Path(folder), settings or {})
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def running(
    zookeeper: str,
    database_url: str,
    *,
    apis: int = 1,
    conductors: int = 1,
    events: int = 0,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> Iterator[cluster.Cluster]:
    """A cluster in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="funcflow-") as folder:
        made = cluster.Cluster(
            Path(folder),
            zookeeper,
            database_url,
            apis=apis,
            conductors=conductors,
            events=events,
            options=options,
        )
        try:
            made.start()
            yield made
        finally:
            made.stop()


def post(
    url: str,
    function: str,
    given: Any = None,
    *,
    sync: bool = False,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, Any]:
    """Status and body of a call."""
    body = {"function_id": function, "sync": sync, "input": given}
    return cluster.request(url, "POST", "/v1/executions", body, headers)


def insist(
    url: str, function: str, given: Any, key: str, *, sync: bool = True
) -> tuple[int, dict[str, Any]]:
    """Call under one idempotency key until it is neither refused for now nor cut off."""
    found: list[tuple[int, Any]] = []

    def tried() -> bool:
        try:
            status, body = post(url, function, given, sync=sync, headers={"Idempotency-Key": key})
        except (OSError, http.client.HTTPException):
            return False
        found.append((status, body))
        return status not in (429, 503)

    until(tried, 30, "an answer")
    return found[-1]


def accepted(url: str, function: str, given: Any = None) -> str:
    """Post an asynchronous call; its id."""
    status, body = post(url, function, given)
    assert status == 201, (status, body)
    return str(body["id"])


def state(url: str, execution_id: str) -> str:
    return str(load.execution(url, execution_id)["state"])


def many(url: str, function: str, given: Sequence[Any]) -> list[str]:
    """Post asynchronous calls; their ids."""
    return [accepted(url, function, each) for each in given]


def in_state(url: str, execution_id: str, wanted: str, timeout: float = 30.0) -> dict[str, Any]:
    """The execution, once it is in that state."""
    until(lambda: state(url, execution_id) == wanted, timeout, f"{execution_id} to be {wanted}")
    return load.execution(url, execution_id)


def output(row: Mapping[str, Any]) -> Any:
    """What the function returned."""
    return json.loads(row["result"])["output"]


def conserved(url: str) -> None:
    """accepted = queued + running + settled + dead, and as the rows say."""
    until(
        lambda: load.metric(url, "funcflow_conservation_drift") == 0,
        what="accepted = queued + running + settled + dead",
    )


def jobs(hosts: str, path: str) -> set[str]:
    """Ids of the executions that have a job on the board below ``path``."""
    client = kazoo.client.KazooClient(hosts)
    client.start(timeout=15)
    found: set[str] = set()
    try:
        for shard in client.get_children(path):
            if shard.startswith("s") and shard[1:].isdigit():
                with contextlib.suppress(kazoo.exceptions.NoNodeError):
                    for name in client.get_children(f"{path}/{shard}/jobs"):
                        ticket = tickets.from_name(name)
                        if ticket is not None:
                            found.add(ticket.execution_id)
    finally:
        client.stop()
        client.close()
    return found


def no_jobs(hosts: str, path: str) -> None:
    """Wait until the board is empty."""
    until(lambda: not jobs(hosts, path), 20, "an empty board")
