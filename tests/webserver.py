"""A web server that answers as a test says, kindly or not; for tests of outgoing calls."""

from __future__ import annotations

import contextlib
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass(frozen=True)
class Asked:
    """What a request said; names of headers in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


#: What to answer; or it writes to the connection itself and returns None.
Handler = Callable[[Asked, BaseHTTPRequestHandler], Answer | None]


class Server:
    """A running server; ``asked`` are the requests so far."""

    def __init__(self, certificate: Path | None = None, host: str = "127.0.0.1") -> None:
        self.asked: list[Asked] = []
        self._handlers: dict[str, Handler] = {}
        self._http = ThreadingHTTPServer((host, 0), self._handler_class())
        self.port: int = self._http.server_address[1]
        self.scheme = "http" if certificate is None else "https"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            # The handshake is the handler's thread's, not the one's that accepts.
            self._http.socket = context.wrap_socket(
                self._http.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    def on(self, path: str, handler: Handler | Answer) -> None:
        """Answer requests for a path (without query)."""
        self._handlers[path] = handler if callable(handler) else lambda *_: handler

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def _handler_class(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handling(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle(self) -> None:
                # Clients that hang up are what some tests are about.
                with contextlib.suppress(OSError):
                    super().handle()

            def finish(self) -> None:
                with contextlib.suppress(OSError):
                    super().finish()

            def log_message(self, *_: object) -> None:
                pass

            def _any(self) -> None:
                server._answer(self)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _any

        return Handling

    def _answer(self, connection: BaseHTTPRequestHandler) -> None:
        length = int(connection.headers.get("Content-Length") or 0)
        asked = Asked(
            connection.command,
            connection.path,
            {name.lower(): value for name, value in connection.headers.items()},
            connection.rfile.read(length),
        )
        self.asked.append(asked)
        handler = self._handlers.get(asked.path.partition("?")[0])
        answer = Answer(404) if handler is None else handler(asked, connection)
        if answer is None:
            connection.close_connection = True
            return
        connection.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            connection.send_header(name, value)
        connection.end_headers()
        if asked.method != "HEAD":
            connection.wfile.write(answer.body)


@contextlib.contextmanager
def serving(certificate: Path | None = None, host: str = "127.0.0.1") -> Iterator[Server]:
    server = Server(certificate, host)
    try:
        yield server
    finally:
        server.close()


def certificate(folder: Path, name: str) -> Path:
    """A self-signed certificate of a host, with its key, in one file."""
    path = folder / f"{name}.pem"
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    request += ["-nodes", "-days", "2", "-subj", f"/CN={name}"]
    request += ["-addext", f"subjectAltName=DNS:{name}", "-keyout", str(path), "-out", "-"]
    made = subprocess.run(request, check=True, capture_output=True).stdout
    path.write_bytes(path.read_bytes() + made)
    return path
