"""A real embedded server for all API tests of a run."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from funcflow.cmd import up
from tests.api.client import Api

HELLO = """
def main(name="world", **rest):
    print("hello", name)
    return {"hello": name, "rest": rest}
"""


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a server answers: one of the run's own, or the one that ``FUNCFLOW_URL`` names."""
    given = os.environ.get("FUNCFLOW_URL")
    if given:
        yield given
        return
    folder: Path = tmp_path_factory.mktemp("data")
    server = up.Server(up.load(up.Options(port=0, data_dir=str(folder))))
    try:
        yield server.url
    finally:
        server.stop()


@pytest.fixture(scope="session")
def api(url: str) -> Api:
    return Api(url)


@pytest.fixture
def unique() -> str:
    """A name nobody else has: all tests share one project."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def hello(api: Api) -> str:
    """Id of a function that greets; nobody may change it."""
    return str(api.function(HELLO, name=f"hello-{uuid.uuid4().hex[:8]}", timeout=10)["id"])


@pytest.fixture(scope="session")
def python3(api: Api) -> str:
    """Id of the Python runtime."""
    (found,) = api("GET", "/v1/runtimes?name=python3").json["runtimes"]
    return str(found["id"])
