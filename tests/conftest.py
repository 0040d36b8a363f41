"""Real services, started when a test first asks for one and ended with the test run.

A service that is not installed fails the tests that need it; `make test` installs it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.images import build
from tools.services import aodh as alarming
from tools.services import barbican as secret_store
from tools.services import identities, kubernetes, postgres, process
from tools.services import keystone as identity
from tools.services import rabbitmq as amqp
from tools.services import registry as images
from tools.services import swift as object_store
from tools.services import zaqar as messaging
from tools.services import zookeeper as zk

#: Seconds for a test that may be the one that builds or starts the cluster.
_CLUSTER_TIMEOUT = 1500

# Tests call our programs by name, as people do who activated the virtualenv.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

# A shell starts what runs in the background deaf to Ctrl-C, and what that starts is deaf too.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        names = getattr(item, "fixturenames", ())
        if "kubernetes_cluster" in names and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_CLUSTER_TIMEOUT))


@pytest.fixture(scope="session")
def service_folder() -> Iterator[Path]:
    """Where the services keep their files and logs."""
    with process.workspace() as folder:
        yield folder


@pytest.fixture(scope="session")
def zookeeper(service_folder: Path) -> Iterator[str]:
    """``host:port`` of a ZooKeeper shared by all tests: use a path of your own."""
    node = zk.Node(service_folder / "zookeeper")
    try:
        node.start()
        yield node.hosts
    finally:
        node.stop()


@pytest.fixture
def zookeeper_node(service_folder: Path) -> Iterator[zk.Node]:
    """A ZooKeeper of the test's own, to kill, pause and start again."""
    with tempfile.TemporaryDirectory(dir=service_folder) as folder:
        node = zk.Node(Path(folder))
        try:
            node.start()
            yield node
        finally:
            node.kill()


@pytest.fixture(scope="session")
def zookeeper_secure(service_folder: Path) -> Iterator[zk.Node]:
    """A ZooKeeper with SASL and TLS; ``security`` says how to be let in."""
    node = zk.Node(service_folder / "secure", secure=True)
    try:
        node.start()
        yield node
    finally:
        node.stop()


@pytest.fixture(scope="session")
def shared_ensemble(service_folder: Path) -> Iterator[zk.Ensemble]:
    ensemble = zk.Ensemble(service_folder / "ensemble")
    try:
        ensemble.start()
        yield ensemble
    finally:
        ensemble.stop_all()


@pytest.fixture
def zookeeper_ensemble(shared_ensemble: zk.Ensemble) -> Iterator[zk.Ensemble]:
    """Three ZooKeepers a test may kill and freeze; whole again for the next one."""
    shared_ensemble.heal()
    yield shared_ensemble
    shared_ensemble.heal()


@pytest.fixture(scope="session")
def postgres_server(service_folder: Path) -> Iterator[postgres.Server]:
    """A PostgreSQL shared by all tests."""
    server = postgres.Server(service_folder / "postgres")
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def postgres_url(postgres_server: postgres.Server) -> Iterator[str]:
    """The SQLAlchemy URL of an empty database of the test's own."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture(scope="session")
def rabbitmq_broker(service_folder: Path) -> Iterator[amqp.Broker]:
    broker = amqp.Broker(service_folder / "rabbitmq")
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def rabbitmq(rabbitmq_broker: amqp.Broker) -> str:
    """The AMQP URL of a broker shared by all tests."""
    return rabbitmq_broker.url


@pytest.fixture(scope="session")
def keystone(service_folder: Path) -> Iterator[identity.Server]:
    """A Keystone shared by all tests: use projects and users of your own."""
    server = identity.Server(service_folder / "keystone")
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def keystone_node(service_folder: Path) -> Iterator[identity.Server]:
    """A Keystone of the test's own, to kill, pause and start again."""
    with tempfile.TemporaryDirectory(dir=service_folder) as folder:
        server = identity.Server(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.kill()


@pytest.fixture(scope="session")
def cloud(keystone: identity.Server) -> Iterator[identities.Cloud]:
    """The administrator of the shared Keystone, who makes projects and users."""
    with identities.Cloud(keystone.url) as made:
        yield made


@pytest.fixture(scope="session")
def swift(
    service_folder: Path, keystone: identity.Server, rabbitmq_broker: amqp.Broker
) -> Iterator[object_store.Server]:
    """A Swift shared by all tests, behind the shared Keystone: use accounts of your own. It tells
    the shared broker of requests."""
    server = object_store.Server(service_folder / "swift", keystone.url, broker=rabbitmq_broker.url)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def swift_node(service_folder: Path, keystone: identity.Server) -> Iterator[object_store.Server]:
    """A Swift of the test's own, to kill, pause and start again; the catalog names another."""
    with tempfile.TemporaryDirectory(dir=service_folder) as folder:
        server = object_store.Server(Path(folder), keystone.url, listed=False)
        try:
            server.start()
            yield server
        finally:
            server.kill()


@pytest.fixture(scope="session")
def barbican(service_folder: Path, keystone: identity.Server) -> Iterator[secret_store.Server]:
    """A Barbican shared by all tests, behind the shared Keystone: use projects of your own."""
    server = secret_store.Server(service_folder / "barbican", keystone.url)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def zaqar(service_folder: Path, keystone: identity.Server) -> Iterator[messaging.Server]:
    """A Zaqar behind the shared Keystone, shared by all tests: use projects of your own."""
    server = messaging.Server(service_folder / "zaqar", keystone.url)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def aodh(
    service_folder: Path,
    keystone: identity.Server,
    rabbitmq_broker: amqp.Broker,
    postgres_server: postgres.Server,
) -> Iterator[alarming.Server]:
    """An Aodh behind the shared Keystone, shared by all tests: use projects of your own."""
    with postgres_server.database() as database:
        folder = service_folder / "aodh"
        server = alarming.Server(folder, keystone.url, rabbitmq_broker.url, database)
        try:
            server.start()
            yield server
        finally:
            server.kill()  # It takes its time to stop.


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A fresh folder with a short path, as sockets in it need."""
    with tempfile.TemporaryDirectory(prefix="funcflow-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def kubernetes_cluster(request: pytest.FixtureRequest) -> Iterator[kubernetes.Cluster]:
    """A Kubernetes shared by all tests, which make namespaces of their own; its faults are theirs
    to heal. As root our own node, which one that runs already is; else that of KUBECONFIG."""
    cluster = kubernetes.find()
    if cluster is None:
        reason = "Kubernetes needs root on Debian, or a cluster in KUBECONFIG"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with contextlib.ExitStack() as stack:
        # Minutes may pass at the first time: let what it says be seen.
        capture = request.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            stack.enter_context(cluster.shared())
        yield cluster


@pytest.fixture(scope="session")
def image_registry(service_folder: Path) -> Iterator[images.Server]:
    """A registry of images that is open to everybody, without TLS: use a repository of your own."""
    server = images.Server(service_folder / "registry")
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def kubernetes_images(kubernetes_cluster: kubernetes.Cluster) -> dict[str, str]:
    """Names of our images, by language and ``agent``, which the cluster has."""
    recipes = build.known()
    return {
        name: kubernetes_cluster.provide(*build.build(recipes[name], recipes))
        for name in ("agent", "python3", "nodejs")
    }
