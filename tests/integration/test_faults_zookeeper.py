"""Rows 10 to 13 of the faults: ZooKeeper loses its leader, its quorum, or its speed, under load."""

from __future__ import annotations

import dataclasses
import http.client
import json
import time
from collections.abc import Iterator

import pytest

from tests import load
from tests.integration import faults
from tests.waiting import until
from tools import cluster
from tools.services import postgres
from tools.services import zookeeper as zk

QUICK = """
import time
def main(key=None):
    time.sleep(0.01)
    return {"key": key}
"""
OPTIONS = {"sandbox": faults.NETWORK, "jobboard": {"path": "/zk-faults"}}


@dataclasses.dataclass(frozen=True)
class Place:
    cluster: cluster.Cluster
    ensemble: zk.Ensemble
    quick: str

    @property
    def url(self) -> str:
        return self.cluster.url

    def healed(self, answered: dict[str, str]) -> None:
        """Every answered call is settled once, the board is empty, the books balance."""
        ids = list(answered.values())
        assert len(set(ids)) == len(ids), "two calls were answered with one execution"
        rows = load.settled(self.url, ids, 60)
        assert {row["state"] for row in rows} == {"succeeded"}
        assert all(answered[json.loads(row["input"])["key"]] == row["id"] for row in rows)
        faults.no_jobs(self.ensemble.hosts, "/zk-faults")
        faults.conserved(self.url)


@pytest.fixture(scope="module")
def everything(
    shared_ensemble: zk.Ensemble, postgres_server: postgres.Server
) -> Iterator[cluster.Cluster]:
    shared_ensemble.heal()
    with (
        postgres_server.database() as url,
        faults.running(shared_ensemble.hosts, url, apis=2, conductors=2, options=OPTIONS) as made,
    ):
        yield made
        shared_ensemble.heal()


@pytest.fixture
def place(everything: cluster.Cluster, zookeeper_ensemble: zk.Ensemble) -> Place:
    quick = load.create(everything.url, "quick", QUICK)
    return Place(everything, zookeeper_ensemble, quick)


def loaded(place: Place, *, sync: bool) -> load.Load:
    return load.Load([api.url for api in place.cluster.apis], place.quick, sync=sync, threads=3)


def more(clients: load.Load, count: int = 20) -> None:
    """Wait until so many more calls were answered."""
    before = len(clients.answered)
    until(lambda: len(clients.answered) >= before + count, 30, "calls to be answered")


@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
def test_the_leader_is_killed(place: Place, sync: bool) -> None:
    """Row 11: a pause, and nothing lost."""
    with loaded(place, sync=sync) as clients:
        more(clients)
        leader = place.ensemble.leader()
        assert leader is not None
        place.ensemble.kill(leader)
        more(clients)
        place.ensemble.start(leader)
        more(clients)
    place.healed(clients.answered)


def test_every_zookeeper_is_frozen_for_a_moment(place: Place) -> None:
    """Row 13: as by a slow disk. Callers wait or are asked to come back; nothing else."""
    with loaded(place, sync=True) as sync, loaded(place, sync=False) as posted:
        more(sync)
        more(posted)
        for _ in range(2):
            for index in range(3):
                place.ensemble.pause(index)
            time.sleep(1.5)  # the fault itself
            for index in range(3):
                place.ensemble.resume(index)
            more(sync)
            more(posted)
    assert not sync.broken + posted.broken, "a connection was cut"
    place.healed(sync.answered | posted.answered)


def test_without_a_quorum_nothing_is_accepted_and_nothing_lost(place: Place) -> None:
    """Row 12."""
    with faults.Witness() as witness:
        slow = load.create(place.url, "slow", faults.WITNESSED, timeout=60, network=True)
        execution = faults.accepted(place.url, slow, witness.input("under way", 3))
        until(lambda: witness.runs["under way"], 20, "the function to run")
        place.ensemble.kill(0)
        place.ensemble.kill(1)
        for sync in (False, True):
            refused(place, slow, witness.input(f"refused {sync}"), sync)
        # What runs may end; its outcome is kept although its claim cannot be looked after.
        row = faults.in_state(place.url, execution, "succeeded", 60)
        for sync in (False, True):
            refused(place, slow, witness.input(f"refused {sync}"), sync)
        before = listed(place)
        place.ensemble.start()
        after = faults.insist(place.url, slow, witness.input("after"), "after", sync=False)[1]
        load.settled(place.url, [after["id"]])
        assert load.execution(place.url, execution) == row, "settled once"
        assert not [key for key in witness.runs if key.startswith("refused")]
        assert listed(place) - before == {after["id"]}
        assert witness.runs["after"] == 1
    with loaded(place, sync=True) as clients:
        more(clients)
    place.healed(clients.answered)


def listed(place: Place) -> set[str]:
    _, body = cluster.request(place.url, "GET", "/v1/executions?sort=id:desc&limit=20")
    return {row["id"] for row in body["executions"]}


def refused(place: Place, function: str, given: object, sync: bool) -> None:
    """503 with Retry-After, and no row."""
    before = listed(place)

    def asked() -> tuple[int, str | None]:
        body = json.dumps({"function_id": function, "sync": sync, "input": given})
        connection = http.client.HTTPConnection(place.url.removeprefix("http://"), timeout=60)
        try:
            connection.request("POST", "/v1/executions", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            return answer.status, answer.headers["Retry-After"]
        finally:
            connection.close()

    status, retry_after = asked()
    assert (status, bool(retry_after)) == (503, True)
    assert listed(place) == before


def test_a_frozen_conductor_is_fenced_under_load(place: Place) -> None:
    """Row 10: its session expires while it holds claims; others settle, it cannot."""
    frozen, other = place.cluster.conductors
    with loaded(place, sync=False) as clients:
        more(clients)
        frozen.pause()
        more(clients, 50)
        other_starts = other.tail(10**7).count("session lost")
        time.sleep(cluster.SESSION + 1)  # the fault: longer than its session
        frozen.resume()
        until(lambda: "session lost" in frozen.tail(10**7), 20, "it to know")
        more(clients)
    assert other.tail(10**7).count("session lost") == other_starts
    place.healed(clients.answered)
