"""The embedded server keeps its promises across kill -9 and SIGTERM; modes and keys."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests import load
from tests.integration import faults
from tests.waiting import until
from tools import cluster

#: Synchronous calls that may wait at the same time.
PLACES = 6
OPTIONS = {
    "sandbox": faults.NETWORK,
    "conductor": {"sweep_interval": 0.2},
    "api": {"max_waiting": PLACES},
}
QUICK = """
import time
def main(key=None):
    time.sleep(0.01)
    return {"key": key}
"""


@pytest.fixture(scope="module")
def everything() -> Iterator[faults.Embedded]:
    with faults.embedded(OPTIONS) as made:
        yield made


@pytest.fixture
def server(everything: faults.Embedded) -> faults.Embedded:
    everything.start()
    return everything


@pytest.fixture
def witness() -> Iterator[faults.Witness]:
    with faults.Witness() as made:
        yield made


@pytest.fixture
def witnessed(server: faults.Embedded) -> str:
    return load.create(server.url, "witnessed", faults.WITNESSED, network=True, timeout=60)


@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
def test_killed_under_load(server: faults.Embedded, sync: bool) -> None:
    """Nothing that was answered is lost or done twice, whatever is killed whenever."""
    function = load.create(server.url, "quick", QUICK)
    with load.Load([server.url], function, sync=sync) as clients:
        for _ in range(3):
            before = len(clients.answered)
            until(lambda n=before: len(clients.answered) > n + 30, 30, "calls to be answered")
            server.kill()
            server.start()
        before = len(clients.answered)
        until(lambda: len(clients.answered) > before + 30, 30, "calls to be answered")
    assert clients.broken, "nobody noticed the kills: the test did not do its work"
    ids = list(clients.answered.values())
    assert len(set(ids)) == len(ids)
    rows = load.settled(server.url, ids)
    assert {row["state"] for row in rows} == {"succeeded"}
    assert all(clients.answered[json.loads(row["input"])["key"]] == row["id"] for row in rows)
    faults.conserved(server.url)


def test_what_ran_when_it_was_killed_runs_again(
    server: faults.Embedded, witness: faults.Witness, witnessed: str
) -> None:
    """At least once; and not even twice where the function says so."""
    once = load.create(
        server.url,
        "once",
        faults.WITNESSED,
        network=True,
        timeout=60,
        delivery="at-most-once",
    )
    again = faults.accepted(server.url, witnessed, witness.input("again", 1))
    lost = faults.accepted(server.url, once, witness.input("lost", 60))
    done = faults.accepted(server.url, once, witness.input("done"))
    faults.in_state(server.url, done, "succeeded")
    until(lambda: witness.runs["again"] and witness.runs["lost"], 20, "both to run")
    server.kill()
    server.start()
    assert faults.in_state(server.url, again, "succeeded")["attempts"] == 2
    row = faults.in_state(server.url, lost, "lost")
    assert (row["status"], row["error"]["type"]) == ("error", "Lost")
    assert witness.runs == {"again": 2, "lost": 1, "done": 1}
    faults.conserved(server.url)


def test_idempotency_keys_survive(
    server: faults.Embedded, witness: faults.Witness, witnessed: str
) -> None:
    """Rows 1 and 2: the same key gives the same execution, also after a restart."""
    given = witness.input("key")
    status, first = faults.insist(server.url, witnessed, given, "survivor")
    assert status == 201
    for end in (server.kill, server.stop):
        end()
        server.start()
        for sync in (True, False):
            status, body = faults.insist(server.url, witnessed, given, "survivor", sync=sync)
            assert (status, body["id"], body["state"]) == (200, first["id"], "succeeded")
    other = {**given, "seconds": 0.1}
    status, body = faults.insist(server.url, witnessed, other, "survivor")
    assert (status, body["error"]["code"]) == (409, "idempotency_mismatch")
    assert witness.runs["key"] == 1


def test_a_wait_that_ends_gives_202_and_the_call_settles(
    server: faults.Embedded, witness: faults.Witness, witnessed: str
) -> None:
    status, body = faults.post(
        server.url,
        witnessed,
        witness.input("slow", 2),
        sync=True,
        headers={"Prefer": "wait=1", "Idempotency-Key": "slow"},
    )
    assert (status, body["state"]) == (202, "running")
    # Who asks again with the key waits for the same one.
    status, again = faults.insist(server.url, witnessed, witness.input("slow", 2), "slow")
    assert (status, again["id"], again["state"]) == (200, body["id"], "succeeded")
    assert witness.runs["slow"] == 1


def test_sigterm_answers_the_calls_in_flight(
    server: faults.Embedded, witness: faults.Witness, witnessed: str
) -> None:
    """Row 49: no connection is cut, and after the restart everything is there."""
    keys = [f"flying-{number}" for number in range(PLACES)]

    def call(key: str) -> tuple[int, Any]:
        return faults.post(server.url, witnessed, witness.input(key, 2), sync=True)

    with ThreadPoolExecutor(len(keys)) as pool:
        calls = [pool.submit(call, key) for key in keys]
        until(lambda: all(witness.runs[key] for key in keys), 20, "all to run")
        left = faults.accepted(server.url, witnessed, witness.input("left behind", 1))
        server.terminate()
        answers = [each.result() for each in calls]
    assert [(status, body["state"]) for status, body in answers] == [(201, "succeeded")] * PLACES
    until(lambda: server.pid is None, 60, "the server to end")
    server.start()
    for _, body in answers:
        assert load.execution(server.url, body["id"]) == body
    assert faults.in_state(server.url, left, "succeeded")["attempts"] == 1
    assert all(witness.runs[key] == 1 for key in keys)
    faults.conserved(server.url)


def test_half_sent_requests_stop_nobody(server: faults.Embedded) -> None:
    """Row 50: connections that never finish their request take no thread."""
    function = load.create(server.url, "quick", QUICK)
    head = "POST /v1/executions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
    slow = []
    try:
        for number in range(300):
            link = socket.create_connection(("127.0.0.1", server.port))
            part = head[: 20 + number % 40] if number % 2 else head + "\r\n{"
            link.sendall(part.encode())
            slow.append(link)
        for number in range(20):
            status, body = faults.post(server.url, function, {"key": str(number)}, sync=True)
            assert (status, body["state"]) == (201, "succeeded")
    finally:
        for link in slow:
            link.close()
    assert cluster.request(server.url, "GET", "/readyz")[0] == 200


def test_clients_that_hang_up_cost_no_place(
    server: faults.Embedded, witness: faults.Witness, witnessed: str
) -> None:
    """Row 50: their calls go on and settle; their places are free for others afterwards."""
    for turn in range(2):  # the second time only if the first one gave all places back
        keys = [f"gone-{turn}-{number}" for number in range(PLACES)]
        for key in keys:
            link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
            body = json.dumps({"function_id": witnessed, "input": witness.input(key, 1)})
            headers = {"Content-Type": "application/json", "Idempotency-Key": key}
            link.request("POST", "/v1/executions", body, headers)
            until(lambda k=key: witness.runs[k], 20, "the function to run")
            link.close()
        for key in keys:
            given = witness.input(key, 1)
            status, answer = faults.insist(server.url, witnessed, given, key, sync=False)
            assert status == 200, "the call is known"
            (row,) = load.settled(server.url, [answer["id"]])
            assert row["state"] == "succeeded"
        assert all(witness.runs[key] == 1 for key in keys)
