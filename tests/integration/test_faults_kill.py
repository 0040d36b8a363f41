"""Killed and frozen processes: nothing is lost, every execution ends once.

Real processes, a real ZooKeeper ensemble and PostgreSQL; see FAULTS in doc/promises.md.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import load
from tests.waiting import until
from tools import cluster
from tools.services import zookeeper as zk

QUICK = """
import time
def main(key=None):
    time.sleep(0.01)
    return {"key": key}
"""
SLOW = """
import time
def main(seconds=3, **_):
    print("started", flush=True)
    time.sleep(seconds)
    return "done"
"""


@pytest.fixture
def pair(
    data_dir: Path, zookeeper_ensemble: zk.Ensemble, postgres_url: str
) -> Iterator[cluster.Cluster]:
    """Two APIs and two conductors."""
    made = cluster.Cluster(data_dir, zookeeper_ensemble.hosts, postgres_url, apis=2, conductors=2)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def assert_conserved(url: str, answered: dict[str, str], timeout: float = 60.0) -> None:
    """Every answered call is there, once, settled; the books balance."""
    ids = list(answered.values())
    assert len(set(ids)) == len(ids), "two calls were answered with one execution"
    rows = load.settled(url, ids, timeout)
    assert {row["state"] for row in rows} == {"succeeded"}
    assert all(answered[row_key(row)] == row["id"] for row in rows)
    until(
        lambda: load.metric(url, "funcflow_conservation_drift") == 0,
        what="accepted = queued + running + settled + dead",
    )


def row_key(row: dict[str, str]) -> str:
    import json

    key: str = json.loads(row["input"])["key"]
    return key


@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
def test_apis_and_conductors_are_killed_in_turn(pair: cluster.Cluster, sync: bool) -> None:
    """Rows 1 to 8: kill -9 of each part under load."""
    function = load.create(pair.url, "quick", QUICK)
    urls = [api.url for api in pair.apis]
    # Who is answered before the run needs fewer threads to keep everybody busy.
    with load.Load(urls, function, sync=sync, threads=4 if sync else 2) as clients:
        for part in (*pair.conductors, *pair.apis, pair.conductors[0]):
            before = len(clients.answered)
            part.kill()
            until(lambda n=before: len(clients.answered) > n + 20, 30, "calls to go on")
            part.start()
        before = len(clients.answered)
        until(lambda: len(clients.answered) > before + 20, 30, "calls to go on")
    assert clients.broken, "nobody noticed the kills: the test did not do its work"
    assert_conserved(pair.url, clients.answered)


def test_everything_is_killed_at_once(pair: cluster.Cluster) -> None:
    """A power cut: what was accepted is done after the restart."""
    function = load.create(pair.url, "quick", QUICK)
    with load.Load([pair.url], function, sync=False) as clients:
        until(lambda: len(clients.answered) > 100, 30, "some calls")
        pair.kill()
        for part in pair.parts:
            part.launch()
    for part in pair.parts:
        part.wait_ready()
    assert_conserved(pair.url, clients.answered)


def started(url: str, execution_id: str) -> bool:
    status, text = cluster.request(url, "GET", f"/v1/executions/{execution_id}/log")
    return status == 200 and "started" in text


def post_slow(pair: cluster.Cluster, function: str, seconds: float) -> str:
    status, body = cluster.request(
        pair.url,
        "POST",
        "/v1/executions",
        {"function_id": function, "sync": False, "input": {"seconds": seconds}},
    )
    assert status == 201, body
    until(lambda: started(pair.url, body["id"]), 20, "the function to run")
    return str(body["id"])


def owner(pair: cluster.Cluster, function: str) -> cluster.Conductor:
    """The conductor that has the function's only busy worker."""

    def busy() -> set[str]:
        status, body = cluster.request(pair.url, "GET", f"/v1/functions/{function}/workers")
        if status != 200:
            return set()
        return {worker["conductor"] for worker in body["workers"] if worker["busy"]}

    (name,) = until(busy, 30, "a busy worker")
    pid = name.rsplit("-", 2)[1]
    return next(each for each in pair.conductors if str(each.pid) == pid)


def test_a_run_is_taken_over_from_a_killed_conductor(pair: cluster.Cluster) -> None:
    """Row 6: at least once."""
    function = load.create(pair.url, "slow", SLOW, timeout=30)
    execution = post_slow(pair, function, 3)
    owner(pair, function).kill()
    (row,) = load.settled(pair.url, [execution])
    assert row["state"] == "succeeded"
    assert row["attempts"] == 2


def test_at_most_once_is_lost_rather_than_run_again(pair: cluster.Cluster) -> None:
    """Row 6, for functions that say so."""
    function = load.create(pair.url, "once", SLOW, timeout=30, delivery="at-most-once")
    execution = post_slow(pair, function, 3)
    owner(pair, function).kill()
    (row,) = load.settled(pair.url, [execution])
    assert row["state"] == "lost"
    assert row["status"] == "error"


def test_a_frozen_conductor_cannot_write_when_it_wakes(pair: cluster.Cluster) -> None:
    """Row 10: a zombie's outcome is refused by the epoch."""
    function = load.create(pair.url, "slow", SLOW, timeout=30)
    execution = post_slow(pair, function, 3)
    frozen = owner(pair, function)
    frozen.pause()
    (row,) = load.settled(pair.url, [execution])
    assert row["attempts"] == 2
    frozen.resume()
    until(lambda: f"{execution}: outcome" in frozen.tail(10**6), 20, "the refusal to be logged")
    again = load.execution(pair.url, execution)
    assert again["finished_at"] == row["finished_at"]
    until(lambda: load.metric(pair.url, "funcflow_conservation_drift") == 0, what="no drift")
    # It is of use again, with a session and claims of its own.
    pair.conductors[1 - pair.conductors.index(frozen)].kill()

    def answered() -> bool:
        body = {"function_id": function, "input": {"seconds": 0}}
        return cluster.request(pair.url, "POST", "/v1/executions", body)[0] == 201

    until(answered, 30, "a call to be answered")


def test_a_stopped_conductor_loses_what_may_run_once_only(pair: cluster.Cluster) -> None:
    """Row 49: giving it back would run it twice."""
    function = load.create(pair.url, "once", SLOW, timeout=60, delivery="at-most-once")
    execution = post_slow(pair, function, 30)
    owner(pair, function).terminate()
    (row,) = load.settled(pair.url, [execution])
    assert (row["state"], row["attempts"]) == ("lost", 1)


def test_a_stopped_conductor_gives_back_at_once(pair: cluster.Cluster) -> None:
    """Row 49: SIGTERM drains, and gives back what does not end in time."""
    function = load.create(pair.url, "slow", SLOW, timeout=60)
    execution = post_slow(pair, function, 30)
    stopped = owner(pair, function)
    asked = time.monotonic()
    stopped.terminate()
    until(lambda: stopped.pid is None, 30, "the conductor to end")
    drained = time.monotonic() - asked
    until(
        lambda: (
            load.execution(pair.url, execution)["state"] == "running"
            and owner(pair, function) is not stopped
        ),
        20,
        "the other conductor to take over",
    )
    assert drained < 25, "it was killed, it did not end by itself"
    assert load.execution(pair.url, execution)["attempts"] == 1, "draining costs no attempt"
    status, _ = cluster.request(pair.url, "POST", f"/v1/executions/{execution}/cancel")
    assert status == 200
