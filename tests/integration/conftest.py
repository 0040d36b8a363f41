"""One embedded server for the tests that need no other."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import pytest

from funcflow.cli import client, transport
from funcflow.cmd import up


@pytest.fixture(scope="session")
def server() -> Iterator[up.Server]:
    """The whole of funcflow on a free port, shared by all tests."""
    with tempfile.TemporaryDirectory(prefix="funcflow-") as folder:
        running = up.Server(up.load(up.Options(port=0, data_dir=folder)))
        try:
            yield running
        finally:
            running.stop()


@pytest.fixture
def empty_server(server: up.Server) -> up.Server:
    """The server, without what earlier tests left on it."""
    api = client.Client(transport.DirectTransport(server.url))
    for trigger in api.triggers.list():
        api.triggers.delete(trigger["id"])
    for composition in api.compositions.list():
        for alias in api.compositions.aliases(composition["id"]).list():
            api.compositions.aliases(composition["id"]).delete(alias["name"])
        api.compositions.delete(composition["id"])
    for execution in api.composition_executions.list():
        if execution["status"] == "RUNNING":
            api.composition_executions.tell(execution["id"], "stop", {})
        api.composition_executions.delete(execution["id"])
    for execution in api.executions.list():
        api.executions.delete(execution["id"])
    for alias in api.aliases.list():
        api.aliases.delete(alias["name"])
    for function in api.functions.list():
        api.functions.delete(function["id"])
    return server
