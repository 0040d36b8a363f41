"""Rows 3 to 8 of the faults, exactly: a conductor dies at one point, another one goes on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests import load
from tests.integration import faults
from tests.integration.sabotage import Saboteur
from tests.waiting import until
from tools import cluster
from tools.services import postgres

PATH = "/points"
#: Point, attempts the execution takes, times the user's code runs.
ASYNC = [
    ("before the claim", 1, 1),
    ("after the claim", 1, 1),
    ("after the start", 2, 1),
    ("after the outcome", 1, 1),
    ("in consume", 1, 1),
]


class Pair:
    """A cluster whose first conductor dies where it is told; the second one is sound."""

    def __init__(self, made: cluster.Cluster, zookeeper: str) -> None:
        self.url = made.url
        self.zookeeper = zookeeper
        folder = made.folder
        self.bad = Saboteur(folder / "conductor0", folder / "conductor0.conf")
        self.good = made.conductors[1]
        self.function = load.create(
            self.url, "witnessed", faults.WITNESSED, network=True, timeout=30
        )

    def only_bad(self, point: str) -> None:
        """Leave the board to the conductor that will die."""
        self.good.kill()
        self.bad.kill()
        self.bad.point = point
        self.bad.start()
        path = f"/v1/functions/{self.function}/workers"
        until(
            lambda: cluster.request(self.url, "GET", path)[0] == 200,
            what="the API to know the conductor",
        )

    def dies(self) -> None:
        until(lambda: self.bad.pid is None, 20, "the conductor to die")

    def clean(self) -> None:
        faults.no_jobs(self.zookeeper, PATH)
        faults.conserved(self.url)


@pytest.fixture(scope="module")
def pair(zookeeper: str, postgres_server: postgres.Server) -> Iterator[Pair]:
    options = {"sandbox": faults.NETWORK, "jobboard": {"path": PATH}}
    with (
        postgres_server.database() as url,
        faults.running(zookeeper, url, conductors=2, options=options) as made,
    ):
        made.conductors[0].kill()
        both = Pair(made, zookeeper)
        yield both
        both.bad.kill()


@pytest.fixture
def witness() -> Iterator[faults.Witness]:
    with faults.Witness() as made:
        yield made


@pytest.mark.parametrize(("point", "attempts", "runs"), ASYNC, ids=[row[0] for row in ASYNC])
def test_an_asynchronous_call(
    pair: Pair, witness: faults.Witness, point: str, attempts: int, runs: int
) -> None:
    pair.only_bad(point)
    execution = faults.accepted(pair.url, pair.function, witness.input("key"))
    pair.dies()
    before = load.execution(pair.url, execution)
    pair.good.start()
    (row,) = load.settled(pair.url, [execution])
    assert (row["state"], faults.output(row)) == ("succeeded", "key")
    assert row["attempts"] == attempts
    pair.clean()
    assert witness.runs["key"] == runs
    after = load.execution(pair.url, execution)
    assert after == row, "a settled outcome changed"
    if before["state"] == "succeeded":
        assert after == before, "what was settled was settled again"


#: Point, whether the caller is answered, executions there are, attempts, runs of the user's code.
SYNC = [
    ("after post and claim", False, 0, 0, 0),
    ("after the insert", True, 1, 2, 1),
    ("after the outcome", True, 1, 1, 1),
]


@pytest.mark.parametrize(
    ("point", "answered", "rows", "attempts", "runs"), SYNC, ids=[row[0] for row in SYNC]
)
def test_a_synchronous_call(
    pair: Pair,
    witness: faults.Witness,
    point: str,
    answered: bool,
    rows: int,
    attempts: int,
    runs: int,
) -> None:
    """Its caller is answered by whoever takes over, or told that nothing was kept."""
    pair.only_bad(point)
    key = f"sync {point}".replace(" ", "-")
    headers = {"Idempotency-Key": key}
    call: Any = (pair.url, pair.function, witness.input("key"))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(faults.post, *call, sync=True, headers=headers)
        pair.dies()
        pair.good.start()
        status, body = asked.result()
    assert status == (201 if answered else 503), body
    assert witness.runs["key"] == runs
    if rows:
        assert (body["state"], body["attempts"]) == ("succeeded", attempts)
        assert faults.insist(*call, key)[0] == 200, "the same one again"
        assert witness.runs["key"] == runs
    else:
        # Nothing was kept, so the retry is the first one.
        status, body = faults.insist(*call, key)
        assert (status, body["attempts"]) == (201, 1), body
        assert witness.runs["key"] == 1
    pair.clean()
