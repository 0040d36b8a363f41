"""Counts how many runs of a function are under way at the same time, from outside."""

from __future__ import annotations

import socket
import threading

#: Says when it begins and when it ends.
COUNTED = """
import socket
import time
def main(port):
    with socket.create_connection(("127.0.0.1", port)) as link:
        link.recv(1)
        time.sleep(0.05)
        link.sendall(b"e")
        link.recv(1)
"""


class Meter:
    """The most runs of ``COUNTED`` that were under way at the same time."""

    def __init__(self) -> None:
        self.most = self.now = self.ended = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Meter:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        with link:
            with self._lock:
                self.now += 1
                self.most = max(self.most, self.now)
            link.sendall(b"b")
            link.recv(1)
            with self._lock:
                self.now -= 1
                self.ended += 1
            link.sendall(b"e")
