"""One thread that answers the metadata requests of all workers of the process driver.

Each worker's init passes them on over a socket of its own, one datagram per request and answer; so
a worker's end is known without its saying so. Nothing here waits for a worker.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import socket
import threading

from funcflow.sandboxes.metadata.service import Service

LOG = logging.getLogger(__name__)

_READ = 65_536


class Desk:
    """Thread-safe; its thread starts with the first worker and ends with :meth:`close`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counters: dict[int, tuple[socket.socket, Service]] = {}
        self._poll = select.epoll()
        self._end = os.eventfd(0, os.EFD_CLOEXEC)
        self._poll.register(self._end, select.EPOLLIN)
        self._thread: threading.Thread | None = None
        self._closed = False

    def add(self, sock: socket.socket, service: Service) -> None:
        """Answer what comes over this socket, which is ours from now on."""
        with self._lock:
            if self._closed:
                sock.close()
                return
            self._counters[sock.fileno()] = sock, service
            self._poll.register(sock, select.EPOLLIN)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="metadata", daemon=True)
                self._thread.start()

    def remove(self, sock: socket.socket) -> None:
        """Close that socket. Idempotent."""
        with self._lock:
            if self._counters.pop(sock.fileno(), None) is not None:
                sock.close()  # and epoll forgets it

    def close(self) -> None:
        """Answer nobody any more. Idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        os.eventfd_write(self._end, 1)
        if self._thread is not None:
            self._thread.join()
        for sock, _ in list(self._counters.values()):
            self.remove(sock)
        self._poll.close()
        os.close(self._end)

    def _serve(self) -> None:
        while True:
            for fd, _ in self._poll.poll():
                if fd == self._end:
                    return
                with self._lock:
                    counter = self._counters.get(fd)
                    if counter is not None:
                        self._one(*counter)

    def _one(self, sock: socket.socket, service: Service) -> None:
        try:
            data = sock.recv(_READ, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:  # Its init is gone, and the worker with it.
            self._poll.unregister(sock)
            return
        try:
            message = json.loads(data)
            answer = {"op": "metadata", "ask": int(message["ask"]), **service.answer(message)}
        except (ValueError, KeyError, TypeError, RecursionError):
            LOG.warning("a worker's init asked for metadata in a way that makes no sense")
            return
        # One that does not read has no answer; its own requests time out.
        with contextlib.suppress(OSError):
            sock.send(json.dumps(answer).encode(), socket.MSG_DONTWAIT)
