"""Only who knows the secret gets a word in, on either side."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from funcflow import wire


def pair(server_secret: str, client_secret: str) -> tuple[Any, Any]:
    """What each end makes of the handshake: a Connection or an exception."""
    ends: dict[bool, Any] = {}
    socks = socket.socketpair()

    def meet(sock: socket.socket, secret: str, server: bool) -> None:
        try:
            ends[server] = wire.Connection(sock, secret, server=server)
        except (wire.Refused, wire.Closed) as exc:
            ends[server] = exc
            sock.close()

    thread = threading.Thread(target=meet, args=(socks[0], server_secret, True))
    thread.start()
    meet(socks[1], client_secret, False)
    thread.join()
    return ends[True], ends[False]


@pytest.fixture(autouse=True)
def _tcp_options_on_unix_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    # A socket pair has no TCP_NODELAY; everything else is the same.
    original: Callable[..., Any] = socket.socket.setsockopt

    def lenient(self: socket.socket, level: int, *rest: Any) -> None:
        if level != socket.IPPROTO_TCP:
            original(self, level, *rest)

    monkeypatch.setattr(socket.socket, "setsockopt", lenient)


def test_messages_go_both_ways() -> None:
    server, client = pair("s3cret", "s3cret")
    client.send({"id": 1, "text": "ü" * 10_000})
    assert server.receive() == {"id": 1, "text": "ü" * 10_000}
    server.send({"id": 1, "value": None})
    assert client.receive() == {"id": 1, "value": None}
    server.close()
    with pytest.raises(wire.Closed):
        client.receive()
    client.close()


def test_a_wrong_secret_is_refused_by_both_ends() -> None:
    server, client = pair("right", "wrong")
    assert isinstance(server, wire.Refused)
    assert isinstance(client, wire.Refused | wire.Closed)


def test_a_mirror_does_not_pass() -> None:
    """Playing the server's own words back proves nothing."""
    ours, theirs = socket.socketpair()

    def mirror() -> None:
        while data := theirs.recv(4096):
            theirs.sendall(data)

    thread = threading.Thread(target=mirror)
    thread.start()
    with pytest.raises(wire.Refused):
        wire.Connection(ours, "secret", server=True)
    ours.close()
    thread.join()
    theirs.close()


@pytest.mark.parametrize(
    "garbage",
    [b"\xff\xff\xff\xff", b"\x00\x00\x00\x02[]", b"\x00\x00\x00\x03{{{", b"GET / HTTP/1.1\r\n\r\n"],
)
def test_nonsense_closes_the_connection(garbage: bytes) -> None:
    server, client = pair("s", "s")
    client._sock.sendall(garbage)
    with pytest.raises(wire.Closed):
        server.receive()
    server.close()
    client.close()
