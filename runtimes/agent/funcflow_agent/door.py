"""Who may talk to the agent: conductors that sign with a key whose public half the pod has."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import ed25519
from .loop import READ, Loop, Timer
from .stream import LONGEST, Stream

VERSION = 1
#: Seconds a stranger may take to prove itself, and bytes it may send.
_HANDSHAKE, _LONGEST_PROOF = 5.0, 4096
_CANDIDATES = 16

#: A connection that proved itself.
Enter = Callable[[Stream], None]


def signed(pod: str, nonce: str) -> bytes:
    """What a conductor signs: this pod, this connection."""
    return f"funcflow-pod-{VERSION}\n{pod}\n{nonce}".encode()


class Door:
    """Listens; hands connections with a good proof to ``enter``."""

    def __init__(
        self,
        loop: Loop,
        listener: socket.socket,
        hello: Mapping[str, Any],
        keys: Sequence[bytes],
        enter: Enter,
    ) -> None:
        self._loop = loop
        self._listener = listener
        self._hello = dict(hello)
        self._keys = keys
        self._enter = enter
        self._candidates: dict[Stream, Timer] = {}
        for key in keys:
            ed25519.prepare(key)  # while nobody waits for it
        listener.setblocking(False)
        loop.watch(listener, READ, self._accept)

    def close(self) -> None:
        self._loop.forget(self._listener)
        self._listener.close()
        for stream in list(self._candidates):
            self._refuse(stream)

    def _accept(self, events: int) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        if len(self._candidates) >= _CANDIDATES:
            self._refuse(next(iter(self._candidates)))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A conductor whose machine vanished must not stay for ever.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in ((socket.TCP_KEEPIDLE, 10), (socket.TCP_KEEPINTVL, 5)):
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
        nonce = os.urandom(32).hex()
        stream = Stream(
            self._loop,
            sock,
            lambda message, _: self._prove(stream, nonce, message),
            lambda _: self._forget(stream),
        )
        stream.longest = _LONGEST_PROOF
        self._candidates[stream] = self._loop.after(_HANDSHAKE, lambda: self._refuse(stream))
        stream.send({"op": "hello", "version": VERSION, "nonce": nonce, **self._hello})

    def _prove(self, stream: Stream, nonce: str, message: dict[str, Any]) -> None:
        try:
            signature = bytes.fromhex(message["signature"])
        except (KeyError, ValueError, TypeError):
            signature = b""
        text = signed(self._hello["pod"], nonce)
        if message["op"] != "prove" or not any(
            ed25519.verify(key, text, signature) for key in self._keys
        ):
            self._refuse(stream)
            return
        self._forget(stream)
        stream.longest = LONGEST
        self._enter(stream)

    def _refuse(self, stream: Stream) -> None:
        self._forget(stream)
        stream.close()

    def _forget(self, stream: Stream) -> None:
        timer = self._candidates.pop(stream, None)
        if timer is not None:
            timer.cancel()
