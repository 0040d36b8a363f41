"""A real HTTP server that answers as it is told: for faults a working server does not have."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@dataclasses.dataclass(frozen=True)
class Answer:
    """What to answer. ``length`` above the body's own: it breaks off."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    length: int | None = None
    #: Answer and close without reading the request's body.
    rude: bool = False


@dataclasses.dataclass(frozen=True)
class Seen:
    """What was asked; the names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Double:
    """Gives its answers in order, one per request."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.seen: list[Seen] = []
        double = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                answer = double.answers.pop(0)
                body = b""
                if not answer.rude:
                    body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                double.seen.append(Seen(self.command, self.path, headers, body))
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.content_type)
                size = len(answer.body) if answer.length is None else answer.length
                self.send_header("Content-Length", str(size))
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

            def log_message(self, *args: object) -> None:
                """Tests look at ``seen``."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def will(self, body: Any = b"", **options: Any) -> None:
        """Queue an answer; what is not bytes is sent as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers.append(Answer(content, **options))

    def encrypt(self, certificate: Path) -> None:
        """Speak TLS from now on; the file holds the key too."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = self.url.replace("http:", "https:")

    @contextlib.contextmanager
    def serving(self) -> Iterator[Double]:
        self._thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
