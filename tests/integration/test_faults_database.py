"""Rows 16 and 17 of the faults: PostgreSQL is killed, under load and at the worst moments."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import load
from tests.integration import faults
from tests.integration.sabotage import Saboteur
from tests.waiting import until
from tools import cluster
from tools.services import postgres, process

PATH = "/db-faults"
OPTIONS = {"sandbox": faults.NETWORK, "jobboard": {"path": PATH}}
QUICK = """
import time
def main(key=None):
    time.sleep(0.01)
    return {"key": key}
"""


@dataclasses.dataclass(frozen=True)
class Place:
    cluster: cluster.Cluster
    database: postgres.Server
    zookeeper: str
    witnessed: str

    @property
    def url(self) -> str:
        return self.cluster.url

    def comes_back(self) -> None:
        """Start PostgreSQL again; it refuses while processes of its former life end."""

        def started() -> bool:
            try:
                self.database.start()
            except process.ServiceError:
                return False
            return True

        until(started, 30, "PostgreSQL to start again")
        until(self.ready, 20, "the API to connect again")

    def ready(self) -> bool:
        return cluster.request(self.url, "GET", "/readyz")[0] == 200

    def heal(self) -> None:
        """Whole again, whatever a test left behind."""
        for conductor in self.cluster.conductors:
            conductor.resume()
        if self.database.pid is None:
            self.comes_back()
        for conductor in self.cluster.conductors:
            conductor.start()

    def clean(self) -> None:
        faults.no_jobs(self.zookeeper, PATH)
        faults.conserved(self.url)


@pytest.fixture(scope="module")
def everything(service_folder: Path, zookeeper: str) -> Iterator[Place]:
    """PostgreSQL of its own, an API and two conductors."""
    with tempfile.TemporaryDirectory(dir=service_folder) as folder:
        Path(folder).chmod(0o755)
        server = postgres.Server(Path(folder))
        server.start()
        try:
            with (
                server.database() as url,
                faults.running(zookeeper, url, conductors=2, options=OPTIONS) as made,
            ):
                witnessed = load.create(
                    made.url, "witnessed", faults.WITNESSED, network=True, timeout=60
                )
                yield Place(made, server, zookeeper, witnessed)
        finally:
            server.kill()


@pytest.fixture
def place(everything: Place) -> Iterator[Place]:
    yield everything
    everything.heal()


@pytest.fixture
def witness() -> Iterator[faults.Witness]:
    with faults.Witness() as made:
        yield made


def test_killed_under_load(place: Place) -> None:
    """Row 16: what was answered is there once; a commit of unknown outcome is found out."""
    function = load.create(place.url, "quick", QUICK)
    with (
        load.Load([place.url], function, sync=True, threads=3) as sync,
        load.Load([place.url], function, sync=False, threads=3) as posted,
    ):
        for _ in range(3):
            more(sync)
            more(posted)
            place.database.kill()
            place.comes_back()
        more(sync)
        more(posted)
    answered = sync.answered | posted.answered
    assert len(set(answered.values())) == len(answered)
    rows = load.settled(place.url, list(answered.values()))
    assert {row["state"] for row in rows} == {"succeeded"}
    assert all(answered[json.loads(row["input"])["key"]] == row["id"] for row in rows)
    place.clean()


def more(clients: load.Load, count: int = 15) -> None:
    before = len(clients.answered)
    until(lambda: len(clients.answered) >= before + count, 40, "calls to be answered")


def test_down_at_the_claim(place: Place, witness: faults.Witness) -> None:
    """Row 17: claims are given back, and no attempt is counted."""
    for conductor in place.cluster.conductors:
        conductor.pause()
    execution = faults.accepted(place.url, place.witnessed, witness.input("key"))
    place.database.kill()
    for conductor in place.cluster.conductors:
        conductor.resume()
    until(
        lambda: any(
            f"{execution}: not started" in conductor.tail(10**7)
            for conductor in place.cluster.conductors
        ),
        30,
        "a claim to be given back",
    )
    place.comes_back()
    (row,) = load.settled(place.url, [execution])
    assert (row["state"], row["attempts"], witness.runs["key"]) == ("succeeded", 1, 1)
    place.clean()


def test_down_at_the_outcome(place: Place, witness: faults.Witness) -> None:
    """The work is done and is not done again: its outcome waits."""
    execution = faults.accepted(place.url, place.witnessed, witness.input("key", 2))
    until(lambda: witness.runs["key"], 20, "the function to run")
    place.database.kill()
    until(
        lambda: any(
            f"{execution}: outcome is kept" in conductor.tail(10**7)
            for conductor in place.cluster.conductors
        ),
        40,
        "the conductor to keep the outcome",
    )
    place.comes_back()
    (row,) = load.settled(place.url, [execution])
    assert (row["state"], row["attempts"], witness.runs["key"]) == ("succeeded", 1, 1)
    place.clean()


def test_down_between_start_and_run(place: Place, witness: faults.Witness) -> None:
    """Its conductor cannot even write that it gives up: it lets go, and somebody goes on."""
    folder = place.cluster.folder
    bad = Saboteur(folder / "bad", folder / "conductor0.conf")
    bad.point, bad.victim = "after the start, the database", place.database.pid or 0
    for conductor in place.cluster.conductors:
        conductor.kill()
    bad.start()
    try:
        execution = faults.accepted(place.url, place.witnessed, witness.input("key"))
        until(lambda: place.database.pid is None, 20, "the database to die")
        until(lambda: "left to its next claimer" in bad.tail(10**7), 40, "it to give up")
        place.comes_back()
        (row,) = load.settled(place.url, [execution])
        assert (row["state"], row["attempts"], witness.runs["key"]) == ("succeeded", 2, 1)
        place.clean()
    finally:
        bad.kill()


def test_calls_are_refused_while_it_is_down(place: Place, witness: faults.Witness) -> None:
    """503, and the function never runs."""
    place.database.kill()
    for sync in (False, True):
        status, body = faults.post(place.url, place.witnessed, witness.input("refused"), sync=sync)
        assert (status, body["error"]["code"]) == (503, "unavailable")
    assert cluster.request(place.url, "GET", "/healthz")[0] == 200
    assert cluster.request(place.url, "GET", "/readyz")[0] == 503
    place.comes_back()
    status, body = faults.insist(place.url, place.witnessed, witness.input("after"), "after")
    assert (status, body["state"]) == (201, "succeeded")
    assert not witness.runs["refused"]
    place.clean()
