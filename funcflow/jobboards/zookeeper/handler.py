"""How kazoo waits and connects. Called by :mod:`.client`."""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Sequence
from typing import Any

from kazoo.handlers.threading import SequentialThreadingHandler


class Handler(SequentialThreadingHandler):  # type: ignore[misc]
    """Instead of kazoo's own ways, which cost too much or leave things open."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        super().__init__()
        self._tls = tls

    def select(
        self,
        readers: Sequence[Any],
        writers: Sequence[Any],
        _: Sequence[Any],
        timeout: float | None = None,
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """kazoo makes an epoll object, with its file descriptor, for every one of the six
        selects of a request: a third of what a request costs."""
        poll = select.poll()
        wanted: dict[int, int] = {}
        for files, event in ((readers, select.POLLIN), (writers, select.POLLOUT)):
            for file in files:
                wanted[file.fileno()] = wanted.get(file.fileno(), 0) | event
        for number, events in wanted.items():
            if number < 0:
                raise ValueError("the file is closed")
            poll.register(number, events)
        # Trouble (POLLERR, POLLHUP) counts as ready: the next read or write tells of it.
        ready = dict(poll.poll(None if timeout is None else timeout * 1000))
        return (
            [file for file in readers if ready.get(file.fileno(), 0) & ~select.POLLOUT],
            [file for file in writers if ready.get(file.fileno(), 0) & ~select.POLLIN],
            [],
        )

    def create_connection(
        self, address: tuple[str, int], hostname: str, timeout: float, **_: Any
    ) -> socket.socket:
        """kazoo leaves the socket open when TLS fails, and trusts every public authority
        besides the configured one."""
        connection = socket.create_connection(address, timeout)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                return self._tls.wrap_socket(connection, server_hostname=hostname)
        except BaseException:
            connection.close()
            raise
        return connection
