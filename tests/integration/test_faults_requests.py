"""Rows 30, 42, 43, 45, 46 and 48 to 50 of the faults, over several APIs and conductors."""

from __future__ import annotations

import dataclasses
import http.client
import json
import random
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import kazoo.client
import pytest

from tests import load
from tests.integration import faults, meter, strangers
from tests.waiting import until
from tools import cluster
from tools.services import postgres

PATH = "/request-faults"
QUEUE = 40
#: Functions the project may have; the tests here need some.
FUNCTIONS = 25
OPTIONS = {
    "sandbox": {**faults.NETWORK, "result_limit": 10_000},
    "jobboard": {"path": PATH},
    "conductor": {"max_queued_per_project": QUEUE, "backoff": 0.05, "sweep_interval": 0.3},
    "api": {"max_input": 5_000},
    "quotas": {"functions": FUNCTIONS},
}
SLEEP = """
import time
def main(seconds=0):
    time.sleep(seconds)
    return seconds
"""
SIZED = """
def main(size, pad=""):
    return "x" * size
"""
#: Reports that it runs until it ends, ten times a second.
BEATS = """
import socket
import time
def main(key, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        for _ in range(600):
            link.sendto(key.encode(), ("127.0.0.1", port))
            time.sleep(0.1)
"""


@dataclasses.dataclass(frozen=True)
class Place:
    cluster: cluster.Cluster
    zookeeper: str
    sleep: str

    @property
    def urls(self) -> list[str]:
        return [api.url for api in self.cluster.apis]

    @property
    def url(self) -> str:
        return self.urls[0]

    def clean(self) -> None:
        faults.no_jobs(self.zookeeper, PATH)
        faults.conserved(self.url)


@pytest.fixture(scope="module")
def place(zookeeper: str, postgres_server: postgres.Server) -> Iterator[Place]:
    with (
        postgres_server.database() as url,
        faults.running(zookeeper, url, apis=2, conductors=2, options=OPTIONS) as made,
    ):
        yield Place(made, zookeeper, load.create(made.url, "sleep", SLEEP, timeout=60))


@pytest.fixture
def witness() -> Iterator[faults.Witness]:
    with faults.Witness() as made:
        yield made


def cancel(url: str, execution: str) -> tuple[int, Any]:
    return cluster.request(url, "POST", f"/v1/executions/{execution}/cancel")


def test_cancels_race_with_the_end(place: Place) -> None:
    """Row 48: of the outcome and two cancels exactly one wins, and every answer agrees."""
    chance = random.Random(7)

    def race(number: int) -> tuple[str, list[tuple[int, Any]]]:
        execution = faults.accepted(place.url, place.sleep, {"seconds": 0.02})
        time.sleep(chance.uniform(0, 0.1))  # anywhere between queued and over
        with ThreadPoolExecutor(2) as pool:
            return execution, list(pool.map(cancel, place.urls, [execution] * 2))

    with ThreadPoolExecutor(6) as pool:
        races = list(pool.map(race, range(90)))
    rows = load.settled(place.url, [execution for execution, _ in races])
    for row, (_, answers) in zip(rows, races, strict=True):
        won = [body for status, body in answers if status == 200]
        assert {status for status, _ in answers} <= {200, 409}
        assert len(won) == (row["state"] == "cancelled"), (row, answers)
        assert all(body["state"] == "cancelled" for body in won)
    assert {row["state"] for row in rows} == {"cancelled", "succeeded"}
    place.clean()
    assert load.settled(place.url, [row["id"] for row in rows]) == rows, "an end changed"


def test_a_cancelled_run_is_stopped(place: Place, witness: faults.Witness) -> None:
    """Its code does not go on behind the answer."""
    function = load.create(place.url, "beats", BEATS, network=True, timeout=60)
    given = {"key": "beat", "port": witness.port}
    execution = faults.accepted(place.url, function, given)
    until(lambda: witness.runs["beat"] > 2, 20, "the function to run")
    assert cancel(place.urls[1], execution)[0] == 200

    def silent() -> bool:
        before = witness.runs["beat"]
        time.sleep(0.5)
        return witness.runs["beat"] == before

    until(silent, 10, "its heart to stop")
    assert faults.state(place.url, execution) == "cancelled"
    place.clean()


def accepted_so_far(url: str) -> float:
    return load.metric(url, "funcflow_executions_accepted_total")


def test_inputs_and_results_that_are_too_large(place: Place) -> None:
    """Row 30: refused before anything is kept; a function's result fails the execution."""
    function = load.create(place.url, "sized", SIZED)
    before = accepted_so_far(place.url)
    for sync in (True, False):
        given = {"size": 1, "pad": "x" * 5_000}
        status, body = faults.post(place.url, function, given, sync=sync)
        assert (status, body["error"]["code"]) == (413, "input_too_large")
    assert accepted_so_far(place.url) == before
    status, body = faults.post(place.url, function, {"size": 10_000}, sync=True)
    assert (status, body["state"]) == (201, "failed")
    assert body["error"]["type"] == "ResultTooLarge"
    status, body = faults.post(place.url, function, {"size": 9_000}, sync=True)
    assert (status, body["state"]) == (201, "succeeded")
    place.clean()


def post_raw(url: str, body: dict[str, Any]) -> tuple[int, str | None]:
    """Status and Retry-After."""
    link = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    try:
        link.request(
            "POST", "/v1/executions", json.dumps(body), {"Content-Type": "application/json"}
        )
        answer = link.getresponse()
        answer.read()
        return answer.status, answer.headers["Retry-After"]
    finally:
        link.close()


def test_a_full_queue_refuses(place: Place) -> None:
    """429 with Retry-After, and nothing is kept of what was refused."""
    function = load.create(
        place.url, "one", f"# one at a time{SLEEP}", timeout=60, max_concurrency=1
    )
    running = faults.accepted(place.url, function, {"seconds": 50})
    faults.in_state(place.url, running, "running")
    before = accepted_so_far(place.url)
    try:
        call = {"function_id": function, "sync": False}
        answers = [post_raw(place.urls[number % 2], call) for number in range(2 * QUEUE)]
        kept = sum(status == 201 for status, _ in answers)
        assert {status for status, _ in answers} == {201, 429}
        assert answers[-1][0] == 429
        assert all(retry_after for status, retry_after in answers if status == 429)
        assert accepted_so_far(place.url) == before + kept
        # Each API learns a moment later what the others accepted.
        assert QUEUE <= kept <= QUEUE * 3 // 2
    finally:
        _, page = cluster.request(place.url, "GET", f"/v1/executions?function_id={function}")
        for row in page["executions"]:
            cancel(place.url, row["id"])
    load.settled(place.url, [row["id"] for row in page["executions"]])
    place.clean()


def test_no_more_run_at_once_than_may(place: Place) -> None:
    """Row 45: parallel calls through all APIs and conductors, posted and waited for."""
    limit = 2
    function = load.create(place.url, "limited", meter.COUNTED, network=True, max_concurrency=limit)
    with meter.Meter() as counter:
        given = {"port": counter.port}

        def waited(number: int) -> str:
            key = f"limited-{number}"
            status, body = faults.insist(place.urls[number % 2], function, given, key)
            assert status in (200, 201), body
            return str(body["id"])

        posted = faults.many(place.url, function, [given] * 15)
        with ThreadPoolExecutor(6) as pool:
            executions = [*posted, *pool.map(waited, range(15))]
        rows = load.settled(place.url, executions)
        assert {row["state"] for row in rows} == {"succeeded"}
        until(lambda: counter.ended == len(rows), 10, "all to have ended")
        assert counter.most == limit
    place.clean()


def test_no_more_functions_than_may_be(place: Place) -> None:
    """Row 45: the limit holds however many create at once, and a refusal leaves nothing."""

    def functions() -> list[dict[str, Any]]:
        _, page = cluster.request(place.url, "GET", "/v1/functions?limit=1000")
        found: list[dict[str, Any]] = page["functions"]
        return found

    def create(number: int) -> int:
        body = {
            "name": f"surplus-{number}",
            "runtime": "python3",
            "source": f"# {number}\n{SLEEP}",
            "entry": "main.main",
        }
        return cluster.request(place.urls[number % 2], "POST", "/v1/functions", body)[0]

    before = len(functions())
    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(create, range(FUNCTIONS * 2)))
    assert statuses.count(201) == FUNCTIONS - before
    assert all(400 <= status < 500 for status in statuses if status != 201)
    assert len(functions()) == FUNCTIONS
    for each in functions():
        if each["name"].startswith("surplus-"):
            path = f"/v1/functions/{each['id']}"
            assert cluster.request(place.url, "DELETE", path)[0] == 204
    assert create(0) == 201, "room was not given back"


def test_a_version_goes_while_it_runs(place: Place, witness: faults.Witness) -> None:
    """Row 46: refused while an alias needs it; what runs, and what waits, ends well."""
    source = faults.WITNESSED
    function = load.create(
        place.url, "versioned", source, network=True, timeout=60, max_concurrency=1
    )
    path = f"/v1/functions/{function}/versions"
    assert cluster.request(place.url, "POST", path, {})[0] == 201
    alias = {"name": "stable", "function_id": function, "function_version": 1}
    assert cluster.request(place.url, "POST", "/v1/aliases", alias)[0] == 201
    call = {"function_alias": "stable", "sync": False}
    executions = []
    for key in ("running", "waiting"):
        body = {**call, "input": witness.input(key, 2)}
        status, made = cluster.request(place.url, "POST", "/v1/executions", body)
        assert status == 201
        executions.append(made["id"])
        until(lambda: witness.runs["running"], 20, "the first one to run")
    status, body = cluster.request(place.url, "DELETE", f"{path}/1")
    assert (status, body["error"]["code"]) == (403, "in_use")
    changed = {"source": "def main(**_):\n    return 'other'\n"}
    assert cluster.request(place.url, "PUT", f"/v1/functions/{function}", changed)[0] == 200
    assert cluster.request(place.url, "DELETE", "/v1/aliases/stable")[0] == 204
    assert cluster.request(place.url, "DELETE", f"{path}/1")[0] == 204
    rows = load.settled(place.url, executions)
    assert [row["state"] for row in rows] == ["succeeded", "succeeded"]
    assert [faults.output(row) for row in rows] == ["running", "waiting"]
    place.clean()


HOSTILE = (Path(load.__file__).parent / "functions/neighbour.py").read_text()


def test_hostile_functions_harm_no_neighbour(place: Place) -> None:
    """Row 42, through the API: each ends as its limit says; others run as ever meanwhile."""
    bad = load.create(place.url, "hostile", HOSTILE, timeout=2, concurrency=1)
    good = load.create(place.url, "neighbour", SLEEP, timeout=30)
    deeds = ["fork_bomb", "memory", "log", "deaf"]
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(faults.post, place.url, bad, {"do": do}, sync=True) for do in deeds]
        for _ in range(10):
            status, body = faults.post(place.url, good, {"seconds": 0.1}, sync=True)
            assert (status, body["state"]) == (201, "succeeded")
        ends = {do: call.result() for do, call in zip(deeds, calls, strict=True)}
    assert {do: status for do, (status, _) in ends.items()} == dict.fromkeys(deeds, 201)
    assert {do: body["error"]["type"] for do, (_, body) in ends.items()} == {
        "fork_bomb": "Timeout",
        "memory": "OutOfMemory",
        "log": "Timeout",
        "deaf": "Timeout",
    }
    place.clean()


#: What it left behind of the call before: how far its thread got, and when it looked.
LEFTOVERS = """
import threading
import time
marks = []

def run():
    while True:
        marks.append(time.monotonic())
        time.sleep(0.01)

def main(start):
    if start:
        threading.Thread(target=run, daemon=True).start()
    return len(marks)
"""


def test_what_a_call_leaves_behind_stays_with_its_function(place: Place) -> None:
    """Row 43: another function never sees it, not even the same code in the same project."""
    first, other = (
        load.create(place.url, name, LEFTOVERS, concurrency=1) for name in ("first", "other")
    )
    assert faults.post(place.url, first, {"start": True}, sync=True)[1]["state"] == "succeeded"
    for _ in range(5):
        _, body = faults.post(place.url, other, {"start": False}, sync=True)
        assert (body["state"], faults.output(body)) == ("succeeded", 0)
    workers = {}
    for function in (first, other):
        _, body = faults.post(place.url, function, {"start": False}, sync=True)
        workers[function] = body["usage"]["worker"]
    assert workers[first] != workers[other]
    place.clean()


def test_a_stopped_api_answers_what_is_in_flight(place: Place, witness: faults.Witness) -> None:
    """Row 49: no connection is cut; the other API, and later this one, go on."""
    function = load.create(place.url, "flying", faults.WITNESSED, network=True, timeout=60)
    api = place.cluster.apis[1]
    keys = [f"flying-{number}" for number in range(5)]
    with ThreadPoolExecutor(len(keys)) as pool:
        calls = [
            pool.submit(faults.post, api.url, function, witness.input(key, 2), sync=True)
            for key in keys
        ]
        until(lambda: all(witness.runs[key] for key in keys), 20, "all to run")
        api.terminate()
        answers = [call.result() for call in calls]
    assert [(status, body["state"]) for status, body in answers] == [(201, "succeeded")] * 5
    until(lambda: api.pid is None, 30, "the API to end")
    assert faults.post(place.url, place.sleep, sync=True)[0] == 201
    api.start()
    for _, body in answers:
        assert load.execution(api.url, body["id"]) == body
    assert all(witness.runs[key] == 1 for key in keys)
    place.clean()


def doors(place: Place) -> list[tuple[str, int]]:
    """Where the conductors take hand-overs."""
    client = kazoo.client.KazooClient(place.zookeeper)
    client.start(timeout=15)
    try:
        found = []
        for name in client.get_children(f"{PATH}/members"):
            host, _, port = json.loads(client.get(f"{PATH}/members/{name}")[0])[
                "address"
            ].rpartition(":")
            found.append((host, int(port)))
        return found
    finally:
        client.stop()
        client.close()


def test_strangers_get_no_word_in(place: Place, witness: faults.Witness) -> None:
    """Who does not know the secret can neither cancel nor run anything."""
    function = load.create(place.url, "target", faults.WITNESSED, network=True, timeout=60)
    execution = faults.accepted(place.url, function, witness.input("target", 4))
    until(lambda: witness.runs["target"], 20, "the function to run")
    wanted = [
        strangers.frame({"id": 1, "op": "cancel", "execution_id": execution}),
        strangers.frame({"id": 2, "op": "detach", "function_id": function, "revision": None}),
    ]
    for address in doors(place):
        for talk in (strangers.plain, strangers.wrong_secret, strangers.echo):
            with socket.create_connection(address, timeout=10) as link:
                talk(link, wanted)
    (row,) = load.settled(place.url, [execution])
    assert (row["state"], row["attempts"], witness.runs["target"]) == ("succeeded", 1, 1)
    assert "does not know the secret" in place.cluster.logs()
    place.clean()
