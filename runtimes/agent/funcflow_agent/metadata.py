"""The metadata service's front: HTTP beside the function, with nothing in it worth stealing.

Every request is passed on to the conductor, who knows which invocations are open and what they
may learn; its answer goes back. Used in pods by :mod:`.agent`, and by the init of each worker of
the process sandbox. ``runtimes/contract/metadata.md`` states the protocol.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

from .loop import READ, WRITE, Loop, Timer

#: Where it is in a network namespace of its own, as the one of virtual machines.
ADDRESS = ("169.254.169.254", 80)
PREFIX = "/funcflow/v1"
#: Bytes of a request; connections at a time; seconds from a connection's first to its last byte.
_LONGEST, _CONNECTIONS, _PATIENCE = 8192, 16, 5.0
#: Requests at once, and from then on per second.
_BURST, _RATE = 100.0, 100.0

#: Pass it on: ``{"op": "metadata", "ask", "method", "target", "headers"}``; False: to nobody.
Ask = Callable[[dict[str, Any]], bool]
#: Whether an address that connected is of this worker.
Admit = Callable[[tuple[str, int]], bool]


def listen(address: tuple[str, int] = ADDRESS) -> socket.socket:
    """:raises OSError: the address is not ours, or taken"""
    sock = socket.socket()
    try:
        if address == ADDRESS:
            # The kernel takes packets for any address of ours from any wire: not for this one.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(_CONNECTIONS)
    except OSError:
        sock.close()
        raise
    return sock


class Front:
    """Answers on its listeners until closed. For the loop's thread."""

    def __init__(
        self, loop: Loop, listeners: list[socket.socket], ask: Ask, admit: Admit | None = None
    ) -> None:
        self._loop = loop
        self._listeners = listeners
        self._ask = ask
        self._admit = admit
        self._open: dict[int, _Exchange] = {}
        self._number = 0
        self._allowance, self._counted = _BURST, time.monotonic()
        for listener in listeners:
            listener.setblocking(False)
            loop.watch(listener, READ, lambda _, of=listener: self._accept(of))

    def answer(self, message: Mapping[str, Any]) -> None:
        """What the conductor says; nothing waits for it where it comes too late.

        :raises KeyError: and its like for what is no answer
        """
        exchange = self._open.get(int(message["ask"]))
        if exchange is not None:
            exchange.answer(int(message["status"]), str(message["body"]), str(message["type"]))

    def refuse_all(self) -> None:
        """The last invocation ended: nobody will answer what is still being asked."""
        for exchange in list(self._open.values()):
            if exchange.asked:
                exchange.refuse(403, "no invocation is open")

    def close(self) -> None:
        for listener in self._listeners:
            self._loop.forget(listener)
            listener.close()
        for exchange in list(self._open.values()):
            exchange.close()

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock, address = listener.accept()
        except OSError:
            return
        if len(self._open) >= _CONNECTIONS or (self._admit and not self._admit(address)):
            sock.close()
            return
        self._number += 1
        self._open[self._number] = _Exchange(self._loop, sock, self._number, self)

    def pass_on(self, exchange: _Exchange, request: dict[str, Any]) -> None:
        if not self._allowed():
            exchange.refuse(429, "too many requests; try again in a second")
        elif not self._ask({"op": "metadata", "ask": exchange.number, **request}):
            exchange.refuse(403, "no invocation is open")

    def forget(self, exchange: _Exchange) -> None:
        self._open.pop(exchange.number, None)

    def _allowed(self) -> bool:
        now = time.monotonic()
        self._allowance = min(_BURST, self._allowance + (now - self._counted) * _RATE)
        self._counted = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True


class _Exchange:
    """One connection: one request, one answer."""

    def __init__(self, loop: Loop, sock: socket.socket, number: int, front: Front) -> None:
        self.number = number
        #: Its request is with the conductor.
        self.asked = False
        #: There may be more of its request, which nobody wants.
        self._cut = False
        self._loop = loop
        self._sock = sock
        self._front = front
        self._in = b""
        self._out = b""
        self._timer: Timer = loop.after(_PATIENCE, self._late)
        sock.setblocking(False)
        loop.watch(sock, READ, self._readable)

    def answer(self, status: int, body: str, kind: str) -> None:
        content = body.encode()
        head = (
            f"HTTP/1.1 {status} \r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n"
            "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
        )
        self.asked = False
        self._out = head.encode("latin-1") + content
        self._write()

    def refuse(self, status: int, why: str) -> None:
        self.answer(status, json.dumps({"error": why}), "application/json")

    def close(self) -> None:
        self._timer.cancel()
        self._loop.forget(self._sock)
        self._sock.close()
        self._front.forget(self)

    def _readable(self, events: int) -> None:
        try:
            piece = self._sock.recv(_LONGEST)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece:
            self.close()
            return
        self._in += piece
        head, end, rest = self._in.partition(b"\r\n\r\n")
        if not end and len(self._in) < _LONGEST:
            return
        # From now on it only waits; that the other end leaves shows when it is written to.
        self._loop.forget(self._sock)
        self._cut = not end or bool(rest)
        if not end:
            self.refuse(431, f"a request has at most {_LONGEST} bytes")
            return
        try:
            request = parse(head, rest)
        except ValueError as exc:
            self.refuse(400, f"this is no request: {exc}")
            return
        self.asked = True
        self._front.pass_on(self, request)

    def _write(self, events: int = WRITE) -> None:
        try:
            while self._out:
                self._out = self._out[self._sock.send(self._out) :]
            if self._cut:  # To close now would take the answer back.
                self._sock.shutdown(socket.SHUT_WR)
                self._loop.watch(self._sock, READ, self._ignore)
                return
        except BlockingIOError:
            self._loop.watch(self._sock, WRITE, self._write)
            return
        except OSError:
            pass  # It left without its answer.
        self.close()

    def _ignore(self, events: int) -> None:
        try:
            left = not self._sock.recv(_LONGEST)
        except BlockingIOError:
            return
        except OSError:
            left = True
        if left:
            self.close()

    def _late(self) -> None:
        if self.asked:
            self.refuse(503, "the conductor does not answer")
        else:
            self.close()


def parse(head: bytes, rest: bytes) -> dict[str, Any]:
    """``{"method", "target", "headers": [[name in lower case, value], …]}``.

    :raises ValueError: it is no HTTP/1 request, or one with a body
    """
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError("not HTTP/1")
    headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise ValueError("a header is broken")
        headers.append([name.lower(), value.strip()])
    told = dict(headers)
    if rest or told.get("content-length", "0") != "0" or "transfer-encoding" in told:
        raise ValueError("it has a body")
    return {"method": method, "target": target, "headers": headers}
