"""Ways to talk to a conductor without knowing the secret."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

import pytest

from funcflow import wire


def frame(message: dict[str, Any]) -> bytes:
    body = json.dumps(message).encode()
    return struct.pack(">I", len(body)) + body


def plain(link: socket.socket, wanted: list[bytes]) -> None:
    """Talk as if there were no proof to give."""
    for message in wanted:
        link.sendall(message)
    ended(link)


def wrong_secret(link: socket.socket, wanted: list[bytes]) -> None:
    with pytest.raises((wire.Refused, wire.Closed)):
        wire.Connection(link, "guessed", server=False)


def echo(link: socket.socket, wanted: list[bytes]) -> None:
    """Play the conductor's own proof back at it."""
    nonce = link.recv(32, socket.MSG_WAITALL)
    link.sendall(nonce)
    link.sendall(link.recv(32, socket.MSG_WAITALL))
    for message in wanted:
        try:
            link.sendall(message)
        except OSError:
            break
    ended(link)


def ended(link: socket.socket) -> None:
    """The other side says nothing of use and hangs up."""
    said = b""
    try:
        while piece := link.recv(1000):
            said += piece
    except ConnectionError:
        pass
    assert len(said) <= 64, "an answer beside nonce and proof"
