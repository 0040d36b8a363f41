from __future__ import annotations

from typing import Any

import pytest

from funcflow.cli import client, transport


@pytest.fixture
def empty_server(server: Any) -> Any:
    """The server, without what earlier tests left on it."""
    api = client.Client(transport.DirectTransport(server.url))
    for alias in api.aliases.list():
        api.aliases.delete(alias["name"])
    for function in api.functions.list():
        api.functions.delete(function["id"])
    return server
