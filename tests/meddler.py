"""Stands between a client and an HTTP server, and spoils chosen answers: for faults that a server
does not have on demand. What is not chosen passes as it is."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import threading
from collections.abc import Iterator


@dataclasses.dataclass
class Fault:
    """What happens to answers of requests that have ``where`` in their head.

    ``cut``: the connection breaks after so many bytes; ``silent``: nothing comes; ``trickle``:
    seconds before each byte after ``cut`` bytes; ``swap``: bytes replaced by others.
    ``times``: how many answers; ``seen``: how many were spoilt.
    """

    where: bytes
    cut: int | None = None
    silent: bool = False
    trickle: float = 0.0
    swap: tuple[bytes, bytes] | None = None
    times: int = 1_000_000
    seen: int = 0


class Meddler:
    """Listens for connections to ``port``, on ``own``, or a port that is free."""

    def __init__(self, port: int, own: int = 0) -> None:
        self._upstream = ("127.0.0.1", port)
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        #: First lines of what was asked for.
        self.requests: list[bytes] = []
        self._stopping = threading.Event()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", own))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._listen, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Meddler:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            sockets = list(self._open)
        for each in sockets:
            _end(each)
        for thread in self._threads:
            thread.join(10)

    @contextlib.contextmanager
    def fault(self, fault: Fault) -> Iterator[Fault]:
        """Within the block answers are spoilt."""
        self._faults.append(fault)
        try:
            yield fault
        finally:
            self._faults.remove(fault)

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            try:
                server = socket.create_connection(self._upstream, 10)
            except OSError:
                return
            with server:
                with self._lock:
                    self._open += [client, server]
                armed: list[Fault] = []
                args = (client, server, armed)
                asking = threading.Thread(target=self._requests, args=args, daemon=True)
                asking.start()
                with contextlib.suppress(OSError):
                    self._answers(client, server, armed)
                _end(client)
                _end(server)
                asking.join(10)

    def _requests(self, client: socket.socket, server: socket.socket, armed: list[Fault]) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if b" HTTP/1.1\r\n" in data:
                    armed[:] = self._chosen(data)
                server.sendall(data)
        _end(server)

    def _chosen(self, request: bytes) -> list[Fault]:
        """What is to happen to the answer, if anything."""
        self.requests.append(request.partition(b"\r\n")[0])
        for fault in list(self._faults):
            if fault.where in request and fault.seen < fault.times:
                fault.seen += 1
                return [fault]
        return []

    def _answers(self, client: socket.socket, server: socket.socket, armed: list[Fault]) -> None:
        passed, current = 0, None
        while data := server.recv(65536):
            fault = armed[0] if armed else None
            if fault is not current:
                passed, current = 0, fault
            if fault is None:
                client.sendall(data)
                continue
            if fault.silent:
                self._stopping.wait(60)
                return
            if fault.swap is not None:
                data = data.replace(*fault.swap)
            end = len(data) if fault.cut is None else max(0, fault.cut - passed)
            client.sendall(data[:end])
            passed += len(data)
            if end < len(data):
                if not fault.trickle:
                    return
                for place in range(end, len(data)):
                    if self._stopping.wait(fault.trickle):
                        return
                    client.sendall(data[place : place + 1])


def _end(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
