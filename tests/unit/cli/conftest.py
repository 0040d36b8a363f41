from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from funcflow.cli.client import Client
from funcflow.cli.transport import DirectTransport
from tests.unit.cli.double import Double


@pytest.fixture
def double() -> Iterator[Double]:
    """A server that answers as it is told."""
    with Double().serving() as served:
        yield served


@pytest.fixture
def client(double: Double) -> Client:
    return Client(DirectTransport(double.url))


@pytest.fixture(autouse=True)
def _root_logger() -> Iterator[None]:
    """The shell sets logging up for its process; a test ends in the state it began with."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
