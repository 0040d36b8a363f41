"""A load generator for HTTP that costs as little as Python can, in a process of its own.

``python -m benchmarks.http URL COUNT CLIENTS BODY`` makes COUNT calls of POST URL from CLIENTS
threads, each over one kept connection, and prints what each took as JSON. Used by the
benchmarks through :func:`post`.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.parse

from benchmarks import measure


class Connection:
    """One kept connection that sends the same request again and again."""

    def __init__(self, url: str, body: bytes) -> None:
        parts = urllib.parse.urlsplit(url)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._request = (
            f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        self._socket = socket.create_connection(self._address)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self) -> bytes:
        """The body of the answer.

        :raises RuntimeError: the answer is not 201
        """
        self._socket.sendall(self._request)
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more()
        head, body = data[:end].lower(), data[end + 4 :]
        length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        while len(body) < length:
            body += self._more()
        if not head.startswith(b"http/1.1 201"):
            raise RuntimeError(f"{head[:200]!r} {body[:500]!r}")
        return body

    def close(self) -> None:
        self._socket.close()

    def _more(self) -> bytes:
        data = self._socket.recv(65536)
        if not data:
            raise RuntimeError("the server closed the connection")
        return data


def post(url: str, count: int, clients: int, body: object) -> list[float]:
    """Seconds that each of ``count`` calls took."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.http", url, str(count), str(clients), json.dumps(body)],
        check=True,
        capture_output=True,
        text=True,
    )
    times: list[float] = json.loads(done.stdout)
    return times


def main() -> None:
    url, count, clients, body = sys.argv[1:]
    connections = [Connection(url, body.encode()) for _ in range(int(clients))]
    free = list(connections)

    def call(_: int) -> None:
        connection = free.pop()
        connection.call()
        free.append(connection)

    times = measure.closed_loop(call, int(count), int(clients))
    for connection in connections:
        connection.close()
    print(json.dumps(times))


if __name__ == "__main__":
    main()
