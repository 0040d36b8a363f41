"""The metadata service of functions in the host's own network; the host's, which is not theirs."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from funcflow.sandboxes.base import Worker
from funcflow.sandboxes.process.driver import ProcessSandbox
from tests import sandboxing

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
    assert walls["metadata"].present, walls["metadata"].detail
    worker = sandbox.start(sandboxing.spec(folder, "metadata.dial", network=True))
    assert value(worker, {"address": ["169.254.169.254", 80]}) == "PermissionError"
    worker.kill()
