"""A backlog waits in the database; the board holds a window of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import kazoo.client
import pytest

from tests import load
from tests.waiting import until
from tools import cluster

PATH = "/backlog"
WINDOW = 40
SOURCE = "def main(n=0):\n    return n\n"


@pytest.fixture
def place(data_dir: Path, zookeeper: str, postgres_url: str) -> Iterator[cluster.Cluster]:
    options = {"jobboard": {"path": PATH, "window": WINDOW}}
    made = cluster.Cluster(data_dir, zookeeper, postgres_url, options=options)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def jobs_on_the_board(zookeeper: str) -> int:
    client = kazoo.client.KazooClient(zookeeper)
    client.start()
    try:
        shards = [name for name in client.get_children(PATH) if name[1:].isdigit()]
        return sum(len(client.get_children(f"{PATH}/{shard}/jobs")) for shard in shards)
    finally:
        client.stop()
        client.close()


def test_the_board_holds_a_window_of_the_backlog(place: cluster.Cluster, zookeeper: str) -> None:
    function = load.create(place.url, "f", SOURCE)
    (conductor,) = place.conductors
    conductor.stop()
    ids = []
    for number in range(5 * WINDOW):
        body = {"function_id": function, "sync": False, "input": {"n": number}}
        status, answer = cluster.request(place.url, "POST", "/v1/executions", body)
        assert status == 201, answer
        ids.append(answer["id"])
    assert 0 < jobs_on_the_board(zookeeper) <= WINDOW
    conductor.start()
    rows = load.settled(place.url, ids)
    assert {row["state"] for row in rows} == {"succeeded"}
    until(lambda: jobs_on_the_board(zookeeper) == 0, what="the board to be empty")
    until(lambda: load.metric(place.url, "funcflow_conservation_drift") == 0, what="no drift")
