"""The metadata service of functions in the host's own network; the host's, which is not theirs."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from funcflow.sandboxes.base import Protection, SandboxError, Worker
from funcflow.sandboxes.process import protections
from funcflow.sandboxes.process.driver import ProcessSandbox
from tests import sandboxing

PLUGIN = Path(__file__).parents[2] / "etc" / "kubernetes" / "cni" / "funcflow-metadata"
root_only = pytest.mark.skipif(os.getuid() != 0, reason="workers have our own user")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessSandbox]:
    conf = sandboxing.configuration(tmp_path_factory.mktemp("data"), network="host")
    driver = ProcessSandbox(conf)
    yield driver
    driver.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("functions") / "package"
    shutil.copytree(sandboxing.FUNCTIONS, path)
    return path


@pytest.fixture
def worker(sandbox: ProcessSandbox, folder: Path) -> Iterator[Worker]:
    made = sandbox.start(sandboxing.spec(folder, "metadata.learn_of", network=True))
    yield made
    made.kill()


def value(worker: Worker, input: Any = None) -> Any:
    outcome, log = sandboxing.call(worker, input)
    assert outcome.error is None, (outcome.error, log.text())
    return json.loads(outcome.value or "")


def test_it_is_on_loopback(worker: Worker) -> None:
    told = value(worker, {"path": "execution_id"})
    assert told["value"] == told["id"]
    assert urlsplit(told["url"]).hostname == "127.0.0.1"


@root_only
def test_others_of_the_host_are_sent_away(worker: Worker) -> None:
    """The port is known, another user connects: nothing is said, whatever it sends."""
    url = urlsplit(value(worker, {"path": ""})["url"])
    with socket.create_connection((url.hostname, url.port), timeout=10) as sock:
        try:
            sock.sendall(b"GET /funcflow/v1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert sock.recv(100) == b""
        except ConnectionError:
            pass


@root_only
def test_another_worker_is_sent_away(worker: Worker, sandbox: ProcessSandbox, folder: Path) -> None:
    url = urlsplit(value(worker, {"path": ""})["url"])
    request = {"requests": [["GET", "", []]], "port": url.port}
    other = sandbox.start(sandboxing.spec(folder, "metadata.knock", network=True))
    assert value(other, request) in ("RemoteDisconnected", "ConnectionResetError")
    other.kill()


@root_only
def test_the_clouds_own_is_out_of_reach(sandbox: ProcessSandbox, folder: Path) -> None:
    """Whether or not this machine is in a cloud: the kernel refuses before any packet."""
    walls = {wall.name: wall for wall in sandbox.protections()}
    if not walls["metadata"].present:
        # A machine of the checks that lacks the wall shows nothing by being left out.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(walls["metadata"].detail)
    worker = sandbox.start(sandboxing.spec(folder, "metadata.dial", network=True))
    assert value(worker, {"address": ["169.254.169.254", 80]}) == "PermissionError"
    worker.kill()


def test_strangers_code_wants_that_wall() -> None:
    missing = [Protection("metadata", False, "a normal user")]
    with pytest.raises(SandboxError) as caught:
        protections.check(protections.of(missing, network=True), trusted=False, allow=False)
    assert caught.value.code == "unprotected"
    protections.check(protections.of(missing, network=True), trusted=True, allow=False)
    protections.check(protections.of(missing, network=False), trusted=False, allow=False)


@pytest.fixture
def namespaces() -> Iterator[tuple[str, str]]:
    """Two network namespaces with a wire between them, 10.9.0.1 and 10.9.0.2."""
    names = [f"funcflow-{uuid.uuid4().hex[:8]}" for _ in range(2)]
    try:
        for name in names:
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        wire = ["type", "veth", "peer", "name", "wire", "netns", names[1]]
        run("ip", "link", "add", "wire", "netns", names[0], *wire)
        for number, name in enumerate(names, 1):
            run("ip", "-n", name, "address", "add", f"10.9.0.{number}/24", "dev", "wire")
            run("ip", "-n", name, "link", "set", "wire", "up")
        yield names[0], names[1]
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def run(*command: str, **options: Any) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, **options)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


_LISTEN = """
import sys
sys.path.insert(0, sys.argv[1])
from funcflow_agent import metadata
listener = metadata.listen()
print("listens", flush=True)
while True:
    listener.accept()[0].close()
"""
_DIAL = """
import socket
try:
    socket.create_connection(("169.254.169.254", 80), timeout=5).close()
    print("connected")
except OSError as exc:
    print(type(exc).__name__)
"""


@root_only
def test_the_plugin_gives_a_pod_the_address_and_neighbours_do_not_get_through(
    namespaces: tuple[str, str],
) -> None:
    """The plugin for nodes on a namespace like a pod's; then the agent's listener as a normal user,
    with a neighbour who knows the way."""
    pod, neighbour = namespaces
    before = {"cniVersion": "0.4.0", "ips": [{"address": "10.9.0.1/24"}], "dns": {"search": ["}"]}}
    config = {"cniVersion": "0.4.0", "name": "pods", "type": PLUGIN.name, "prevResult": before}
    config["namespaces"] = "funcflow funcflow-*"
    variables = {"CNI_NETNS": f"/run/netns/{pod}", "PATH": os.environ["PATH"]}

    def plugin(command: str, namespace: str = "funcflow-team") -> str:
        arguments = f"IgnoreUnknown=1;K8S_POD_NAMESPACE={namespace};K8S_POD_NAME=p"
        env = variables | {"CNI_COMMAND": command, "CNI_ARGS": arguments}
        return run("sh", str(PLUGIN), input=json.dumps(config), env=env)

    assert json.loads(plugin("ADD", "somebody-else")) == before
    assert "169.254" not in run("ip", "-n", pod, "address")
    assert json.loads(plugin("ADD")) == json.loads(plugin("ADD")) == before
    assert plugin("CHECK") == plugin("DEL") == ""
    assert "0.4.0" in json.loads(plugin("VERSION"))["supportedVersions"]

    run("ip", "-n", neighbour, "route", "add", "169.254.169.254", "via", "10.9.0.1")
    runtimes = PLUGIN.parents[3] / "runtimes" / "agent"
    inside = ["ip", "netns", "exec", pod]
    command = [*inside, "setpriv", "--reuid=65532", "--clear-groups", "--bounding-set=-all"]
    python = os.path.realpath(sys.executable)
    with subprocess.Popen(
        [*command, python, "-c", _LISTEN, str(runtimes)], stdout=subprocess.PIPE, text=True
    ) as listener:
        try:
            assert listener.stdout is not None
            assert listener.stdout.readline() == "listens\n"
            assert run(*inside, python, "-c", _DIAL) == "connected\n"
            dialled = run("ip", "netns", "exec", neighbour, python, "-c", _DIAL)
            assert dialled == "ConnectionRefusedError\n"
        finally:
            listener.kill()
