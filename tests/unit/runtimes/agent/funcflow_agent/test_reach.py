"""What an agent finds out about the walls around its pod."""

from __future__ import annotations

import socket
import time

import pytest
from funcflow_agent import reach
from funcflow_agent.loop import Loop


def reached(host: str, port: str) -> bool:
    loop, found = Loop(), []

    def tell(connected: bool) -> None:
        found.append(connected)
        loop.running = False

    reach.Reach(loop, tell, {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port})
    if not found:
        loop.run()
    loop.close()
    return found == [True]


def test_what_stays_reachable_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "_PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:
        port = server.getsockname()[1]
        assert reached("127.0.0.1", str(port))
    assert not reached("127.0.0.1", str(port))


def test_walls_may_be_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is reached at first and then no more counts as shut."""
    monkeypatch.setattr(reach, "_PAUSE", 0.3)
    server = socket.create_server(("127.0.0.1", 0))
    loop, found = Loop(), []
    environment = {
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": str(server.getsockname()[1]),
    }
    began = time.monotonic()

    def tell(connected: bool) -> None:
        found.append(connected)
        loop.running = False

    reach.Reach(loop, tell, environment)
    loop.after(0.1, server.close)
    loop.run()
    loop.close()
    assert found == [False]
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize(("host", "port"), [("", "443"), ("127.0.0.1", "x"), ("no such", "1")])
def test_what_is_no_address_is_not_reached(host: str, port: str) -> None:
    assert not reached(host, port)
