"""Rows 23 and 25 to 27 of the faults, and jobs that vanish: full disks, poison, crash loops,
old backlogs."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import kazoo.client
import psycopg
import pytest

from tests import load
from tests.integration import faults
from tests.waiting import until
from tools import cluster
from tools.services import postgres

ATTEMPTS = 3
CAPACITY = 4
ECHO = """
def main(**given):
    return given
"""
SLEEP = """
import time
def main(seconds=0):
    time.sleep(seconds)
    return seconds
"""


@pytest.fixture(scope="module")
def server() -> Iterator[faults.Embedded]:
    settings = {
        "conductor": {
            "capacity": CAPACITY,
            "max_attempts": ATTEMPTS,
            "backoff": 0.05,
            "sweep_interval": 0.2,
        }
    }
    with faults.embedded(settings) as made:
        yield made


@contextlib.contextmanager
def busy(server: faults.Embedded) -> Iterator[None]:
    """Nothing that is posted runs until the block ends."""
    function = load.create(server.url, "busy", SLEEP, timeout=60)
    executions = faults.many(server.url, function, [{"seconds": 50}] * CAPACITY)
    running = executions[: CAPACITY - CAPACITY // 4]  # the rest is for synchronous calls
    for execution in running:
        faults.in_state(server.url, execution, "running")
    yield
    for execution in reversed(executions):
        cluster.request(server.url, "POST", f"/v1/executions/{execution}/cancel")


def damage_the_package(server: faults.Embedded, function: str) -> None:
    """Flip a byte of the stored package."""
    path = package(server, function)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def lose_the_package(server: faults.Embedded, function: str) -> None:
    package(server, function).unlink()


def package(server: faults.Embedded, function: str) -> Path:
    _, shown = cluster.request(server.url, "GET", f"/v1/functions/{function}")
    digest = shown["digest"]
    return server.data / "packages" / digest[:2] / digest[2:4] / digest


def garble_the_revision(server: faults.Embedded, function: str) -> None:
    """What cannot be decoded, as after a bad migration."""
    change(server, "UPDATE revisions SET environment = '{broken' WHERE function_id = ?", function)


def lose_the_revision(server: faults.Embedded, function: str) -> None:
    change(server, "DELETE FROM revisions WHERE function_id = ?", function)


def change(server: faults.Embedded, statement: str, function: str) -> None:
    connection = sqlite3.connect(server.database, timeout=20)
    try:
        with connection:
            connection.execute(statement, (function,))
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("poison", "reason"),
    [
        (damage_the_package, "package_damaged"),
        (lose_the_package, "not_found"),
        (garble_the_revision, "poison"),
        (lose_the_revision, "not_found"),
    ],
)
def test_poison(
    server: faults.Embedded, poison: Callable[[faults.Embedded, str], None], reason: str
) -> None:
    """Row 25: a dead letter after so many attempts, and nobody else waits for it."""
    bad = load.create(server.url, "bad", f"# {poison.__name__}\n{ECHO}")
    good = load.create(server.url, "good", ECHO)
    with busy(server):
        poisoned = faults.many(server.url, bad, [{"n": n} for n in range(10)])
        sound = faults.many(server.url, good, [{"n": n} for n in range(10)])
        poison(server, bad)
    assert {row["state"] for row in load.settled(server.url, sound)} == {"succeeded"}
    for execution in poisoned:
        row = faults.in_state(server.url, execution, "dead")
        assert (row["reason"], row["attempts"], row["status"]) == (reason, ATTEMPTS, "error")
    faults.conserved(server.url)


def dead_letters(url: str) -> set[str]:
    _, body = cluster.request(url, "GET", "/v1/dead-letters")
    return {row["id"] for row in body["dead_letters"]}


def test_dead_letters_are_redriven_or_purged(server: faults.Embedded) -> None:
    """The cause mended, one runs after all; the others go."""
    cluster.request(server.url, "DELETE", "/v1/dead-letters")
    function = load.create(server.url, "mended", f"# to be mended\n{ECHO}")
    path = package(server, function)
    kept = path.read_bytes()
    path.unlink()
    executions = faults.many(server.url, function, [{"n": n} for n in range(3)])
    for execution in executions:
        faults.in_state(server.url, execution, "dead")
    assert dead_letters(server.url) == set(executions)
    path.write_bytes(kept)
    first, *others = executions
    status, body = cluster.request(server.url, "POST", f"/v1/dead-letters/{first}/redrive")
    assert (status, body["state"]) == (202, "queued")
    (row,) = load.settled(server.url, [first])
    assert (row["state"], row["attempts"], faults.output(row)) == ("succeeded", 1, {"n": 0})
    assert cluster.request(server.url, "POST", f"/v1/dead-letters/{first}/redrive")[0] == 409
    assert dead_letters(server.url) == set(others)
    status, body = cluster.request(server.url, "DELETE", "/v1/dead-letters")
    assert (status, body) == (200, {"purged": 2})
    assert not dead_letters(server.url)
    for execution in others:
        assert cluster.request(server.url, "GET", f"/v1/executions/{execution}")[0] == 404
    faults.conserved(server.url)


def test_a_backlog_older_than_its_maximum_age(tmp_path: Path) -> None:
    """Row 27: an outage. What waited too long is a dead letter, fresh calls are not held up."""
    settings = {"conductor": {"max_age": 2, "capacity": 1, "sweep_interval": 0.2}}
    with faults.embedded(settings) as server:
        function = load.create(server.url, "sleep", SLEEP, timeout=30)
        blocker = faults.accepted(server.url, function, {"seconds": 20})
        faults.in_state(server.url, blocker, "running")
        old = faults.many(server.url, function, [{"seconds": 0}] * 20)
        server.kill()
        time.sleep(2.5)  # the outage itself
        server.start()
        cluster.request(server.url, "POST", f"/v1/executions/{blocker}/cancel")
        fresh = faults.accepted(server.url, function, {"seconds": 0})
        (row,) = load.settled(server.url, [fresh])
        assert row["state"] == "succeeded"
        for execution in old:
            row = faults.in_state(server.url, execution, "dead")
            assert row["reason"] == "expired"
        assert dead_letters(server.url) == set(old)
        faults.conserved(server.url)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own, of 256 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k,nr_inodes=1000", "tmpfs", str(folder)]
    subprocess.run(mount, check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.skipif(os.getuid() != 0, reason="only root mounts disks")
def test_a_conductors_disk_is_full(small_disk: Path) -> None:
    """Row 23: what nobody uses makes room; what can never fit fails alone, and leaves nothing."""
    settings = {
        "store": {"cache": small_disk},
        "sandbox": {"max_workers": 1},  # a worker keeps its package in use
        "conductor": {"max_attempts": ATTEMPTS, "backoff": 0.05, "sweep_interval": 0.2},
    }
    with faults.embedded(settings) as server:

        def function(size: int, number: int) -> str:
            return load.create(server.url, "padded", f"# {number}{'x' * size}\n{ECHO}")

        fitting = [function(100_000, number) for number in range(5)]
        for each in fitting * 2:
            status, body = faults.post(server.url, each, {"n": 1}, sync=True)
            assert (status, body["state"]) == (201, "succeeded")
        monster = function(260_000, 0)
        execution = faults.accepted(server.url, monster)
        row = faults.in_state(server.url, execution, "dead")
        assert (row["reason"], row["attempts"]) == ("no_room", ATTEMPTS)
        assert not list(small_disk.glob("*/incoming-*")), "half a package stayed"
        status, body = faults.post(server.url, fitting[0], {"n": 2}, sync=True)
        assert (status, body["state"]) == (201, "succeeded")
        faults.conserved(server.url)


PATH = "/job-faults"


class Place:
    """Two conductors, whose logs and rows may be looked at."""

    def __init__(self, made: cluster.Cluster, zookeeper: str) -> None:
        self.cluster, self.url, self.zookeeper = made, made.url, zookeeper

    def owner(self, execution: str) -> str:
        """The name of the conductor whose claim the row carries."""
        plain = self.cluster.database_url.replace("+psycopg", "")
        with psycopg.connect(plain) as connection:
            row = connection.execute(
                "SELECT owner FROM executions WHERE id = %s", (execution,)
            ).fetchone()
        assert row
        return str(row[0])

    def kill(self, owner: str) -> cluster.Conductor:
        pid = owner.rsplit("-", 2)[1]
        (found,) = (each for each in self.cluster.conductors if str(each.pid) == pid)
        found.kill()
        return found


@pytest.fixture(scope="module")
def place(zookeeper: str, postgres_server: postgres.Server) -> Iterator[Place]:
    options = {
        "sandbox": faults.NETWORK,
        "jobboard": {"path": PATH, "session_timeout": 1},
        "conductor": {"max_attempts": ATTEMPTS, "sweep_interval": 0.3},
    }
    with (
        postgres_server.database() as url,
        faults.running(zookeeper, url, conductors=2, options=options) as made,
    ):
        yield Place(made, zookeeper)


def test_a_call_that_kills_its_conductor(place: Place) -> None:
    """Row 26: attempts are counted before the run, so that it ends as a dead letter."""
    innocent = load.create(place.url, "innocent", ECHO)
    bomb = load.create(place.url, "bomb", faults.WITNESSED, network=True, timeout=60)
    owners = []
    with (
        faults.Witness() as witness,
        load.Load([place.url], innocent, sync=False, threads=2) as others,
    ):
        execution = faults.accepted(place.url, bomb, witness.input("bomb", 60))
        for attempt in range(1, ATTEMPTS + 1):
            until(lambda n=attempt: witness.runs["bomb"] == n, 30, "the function to run")
            owners.append(place.owner(execution))
            place.kill(owners[-1]).launch()
        row = faults.in_state(place.url, execution, "dead")
        before = len(others.answered)
        until(lambda: len(others.answered) > before + 10, 20, "others to go on")
        assert witness.runs["bomb"] == ATTEMPTS
    assert row["reason"] == "attempts"
    assert len(set(owners)) == ATTEMPTS
    for conductor in place.cluster.conductors:
        conductor.wait_ready()
    rows = load.settled(place.url, list(others.answered.values()))
    assert {row["state"] for row in rows} == {"succeeded"}
    faults.no_jobs(place.zookeeper, PATH)
    faults.conserved(place.url)


def test_a_job_that_vanished_is_posted_again(place: Place) -> None:
    """Somebody deletes znodes by hand: the row is the truth."""
    function = load.create(place.url, "echo", ECHO)
    for conductor in place.cluster.conductors:
        conductor.kill()
    executions = faults.many(place.url, function, [{"n": n} for n in range(5)])
    until(lambda: faults.jobs(place.zookeeper, PATH) == set(executions), 20, "the jobs")
    client = kazoo.client.KazooClient(place.zookeeper)
    client.start(timeout=15)
    try:
        for shard in client.get_children(PATH):
            if shard[1:].isdigit():
                for job in client.get_children(f"{PATH}/{shard}/jobs"):
                    client.delete(f"{PATH}/{shard}/jobs/{job}")
    finally:
        client.stop()
        client.close()
    for conductor in place.cluster.conductors:
        conductor.start()
    rows = load.settled(place.url, executions)
    assert {(row["state"], row["attempts"]) for row in rows} == {("succeeded", 1)}
    faults.no_jobs(place.zookeeper, PATH)
    faults.conserved(place.url)
