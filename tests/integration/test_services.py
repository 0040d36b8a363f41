"""The servers the other tests stand on: they work, break on demand and leave nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import kombu
import psycopg
import pytest
import sqlalchemy
from kazoo import client, exceptions, security

from tests import waiting
from tools.services import postgres, process, zookeeper


@contextlib.contextmanager
def connected(hosts: str, **options: object) -> Iterator[client.KazooClient]:
    session = client.KazooClient(hosts=hosts, **options)
    try:
        session.start(timeout=15)
        yield session
    finally:
        session.stop()
        session.close()


def test_zookeeper_keeps_what_it_is_given(zookeeper: str) -> None:
    with connected(zookeeper) as session:
        session.create("/services", b"kept")
        assert session.get("/services")[0] == b"kept"


def test_a_killed_node_comes_back_with_its_data(zookeeper_node: zookeeper.Node) -> None:
    with connected(zookeeper_node.hosts) as session:
        session.create("/survivor")
    zookeeper_node.kill()
    with pytest.raises(OSError, match="refused"):
        zookeeper_node.ask("srvr")
    zookeeper_node.start()
    with connected(zookeeper_node.hosts) as session:
        assert session.exists("/survivor")


def test_the_secure_server_lets_in_by_tls_and_password(zookeeper_secure: zookeeper.Node) -> None:
    way_in = zookeeper_secure.security
    assert way_in
    with connected(
        zookeeper_secure.tls_hosts,
        use_ssl=True,
        ca=str(way_in.ca),
        certfile=str(way_in.cert),
        keyfile=str(way_in.key),
        sasl_options={
            "mechanism": "DIGEST-MD5",
            "username": way_in.sasl_username,
            "password": way_in.sasl_password,
        },
    ) as session:
        session.create("/mine", acl=[security.make_acl("sasl", "funcflow", all=True)])
        assert session.exists("/mine")
    with (
        connected(zookeeper_secure.hosts) as stranger,
        pytest.raises(exceptions.NoAuthError),
    ):
        stranger.get("/mine")


def test_the_ensemble_survives_its_leader(zookeeper_ensemble: zookeeper.Ensemble) -> None:
    leader = zookeeper_ensemble.leader()
    assert leader is not None
    zookeeper_ensemble.kill(leader)
    with connected(zookeeper_ensemble.hosts) as session:
        session.retry(session.ensure_path, "/after-the-leader")
    waiting.until(lambda: zookeeper_ensemble.leader() not in (None, leader), what="a new leader")


def test_the_ensemble_is_whole_again_for_the_next_test(
    zookeeper_ensemble: zookeeper.Ensemble,
) -> None:
    assert all(node.answers() for node in zookeeper_ensemble.nodes)


def test_a_paused_node_is_silent_until_resumed(zookeeper_ensemble: zookeeper.Ensemble) -> None:
    node = zookeeper_ensemble.nodes[0]
    zookeeper_ensemble.pause(0)
    with pytest.raises(TimeoutError):
        node.ask("srvr")
    zookeeper_ensemble.resume(0)
    waiting.until(lambda: node.answers(), what="the resumed node's answer")


def test_every_test_has_an_empty_database(postgres_url: str) -> None:
    engine = sqlalchemy.create_engine(postgres_url)
    assert sqlalchemy.inspect(engine).get_table_names() == []
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE thing (id integer)"))
    engine.dispose()


def test_a_dropped_database_is_gone(postgres_server: postgres.Server) -> None:
    with postgres_server.database() as url:
        plain = url.replace("+psycopg", "")
        left_open = psycopg.connect(plain)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(plain)
    left_open.close()


def test_rabbitmq_delivers(rabbitmq: str) -> None:
    with kombu.Connection(rabbitmq) as connection:
        queue = connection.SimpleQueue("services")
        queue.put({"hello": "world"})
        assert queue.get(timeout=10).payload == {"hello": "world"}
        queue.close()


def test_a_missing_server_is_named_with_its_package() -> None:
    with pytest.raises(process.ServiceError, match="install the package left-pad"):
        process.require("/nowhere/*/left-pad", "left-pad")


STARTS_A_NODE = """
import pathlib, sys, time
from tools.services import zookeeper
node = zookeeper.Node(pathlib.Path(sys.argv[1]))
node.start()
print(node.port, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_server_dies_with_its_starter(tmp_path: Path, number: signal.Signals) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTS_A_NODE, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    with starter:
        assert starter.stdout
        port = int(starter.stdout.readline())
        starter.send_signal(number)
    waiting.until(lambda: not _listens(port), what="the server's end")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((process.HOST, port)) == 0


def services(action: str, *names: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.services", action, *names],
        env={**os.environ, "HOME": str(home)},
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
    )


def test_servers_to_try_things_on(tmp_path: Path) -> None:
    assert services("status", home=tmp_path).returncode == 1
    up = services("up", "zookeeper", home=tmp_path)
    assert up.returncode == 0, up.stderr
    try:
        name, hosts = up.stdout.split()
        assert name == "zookeeper"
        with connected(hosts) as session:
            assert session.exists("/zookeeper")
        assert services("status", home=tmp_path).stdout == up.stdout
        assert services("up", "zookeeper", home=tmp_path).stdout == up.stdout
    finally:
        assert services("down", home=tmp_path).returncode == 0
    assert not _listens(int(hosts.rpartition(":")[2]))
    assert services("status", home=tmp_path).returncode == 1


def test_no_such_server(tmp_path: Path) -> None:
    refused = services("up", "mainframe", home=tmp_path)
    assert refused.returncode == 2
    assert "no such server: mainframe" in refused.stderr
