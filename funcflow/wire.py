"""Connections between funcflow's own processes.

Frames of JSON behind a 4-byte length, on TCP. Both ends first prove that they know the
installation's secret (mutual challenge, HMAC-SHA-256), so neither a stranger nor a
stranger's server gets a word in. It does not encrypt: use a private network between hosts.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import socket
import struct
import threading
from typing import Any

from funcflow import errors

_LENGTH = struct.Struct(">I")
#: Bytes of the longest frame; executions carry inputs and results, which are bounded.
LONGEST = 16 * 1024 * 1024
_NONCE = 32
_PROOF = 32
#: Seconds a stranger may take to prove itself.
HANDSHAKE = 5.0


class Closed(Exception):
    """The other end is gone."""


class Refused(errors.FuncflowError):
    """The other end does not know the secret, or speaks something else."""

    code, status = "peer_refused", 503
    hint = "Give all funcflow processes the same [DEFAULT] secret."


class Connection:
    """One end of a proven connection. ``send`` from any thread, ``receive`` from one."""

    def __init__(self, sock: socket.socket, secret: str, *, server: bool) -> None:
        """Prove both ends to each other.

        :raises Refused: the proof is wrong
        :raises Closed: the other end left
        """
        self._sock = sock
        self._lock = threading.Lock()
        self._buffer = bytearray()
        sock.settimeout(HANDSHAKE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._prove(secret.encode(), server)
        except (OSError, Closed) as exc:
            raise Closed(str(exc)) from exc
        sock.settimeout(None)

    def send(self, message: dict[str, Any]) -> None:
        """:raises Closed: the other end is gone"""
        body = json.dumps(message, separators=(",", ":")).encode()
        if len(body) > LONGEST:
            raise errors.TooLarge(f"a message of {len(body)} bytes is too long")
        try:
            with self._lock:
                self._sock.sendall(_LENGTH.pack(len(body)) + body)
        except OSError as exc:
            raise Closed(str(exc)) from exc

    def receive(self) -> dict[str, Any]:
        """The next message; waits for it.

        :raises Closed: the other end is gone, or sent nonsense
        """
        (length,) = _LENGTH.unpack(self._take(_LENGTH.size))
        if length > LONGEST:
            raise Closed(f"a frame of {length} bytes is too long")
        try:
            message = json.loads(self._take(length))
        except ValueError as exc:
            raise Closed("a frame is not JSON") from exc
        if not isinstance(message, dict):
            raise Closed("a frame is not an object")
        return message

    def close(self) -> None:
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # It was closed by the other end.
        self._sock.close()

    def _prove(self, secret: bytes, server: bool) -> None:
        mine = os.urandom(_NONCE)
        self._sock.sendall(mine)
        theirs = self._take(_NONCE)
        me, them = (b"server", b"client") if server else (b"client", b"server")
        self._sock.sendall(_proof(secret, me, mine, theirs))
        proof = self._take(_PROOF)
        if not hmac.compare_digest(proof, _proof(secret, them, theirs, mine)):
            raise Refused("the other end does not know the secret")

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            try:
                data = self._sock.recv(65536)
            except OSError as exc:
                raise Closed(str(exc)) from exc
            if not data:
                raise Closed("end of stream")
            self._buffer += data
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken


def _proof(secret: bytes, role: bytes, own: bytes, other: bytes) -> bytes:
    # The role keeps a proof from being played back at the one who made it.
    return hmac.new(secret, b"funcflow 1 " + role + own + other, hashlib.sha256).digest()
