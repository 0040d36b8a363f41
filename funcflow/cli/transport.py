"""How the client's requests travel: a small protocol, and the standard library's way.

Used by :mod:`funcflow.cli.client`. The ``funcflow`` command travels by
:class:`DirectTransport`; as part of ``openstack`` it rides on a Keystone session
(:mod:`funcflow.cli.keystone`).
"""

from __future__ import annotations

import contextlib
import http.client
import ssl
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Protocol

from funcflow.cli import faults

#: What Keystone's catalog calls us.
SERVICE_TYPE = "function-engine"
#: Bytes asked for at once; a read returns less when less has arrived.
CHUNK = 65_536


class Body(Protocol):
    """Something to send: its length is known, and it can be read again from the start."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...


class Answer(Protocol):
    """A response whose body has not been read yet; a context manager that closes it."""

    status: int

    def header(self, name: str) -> str | None:
        """A header's value; the case of ``name`` does not matter."""

    def chunks(self) -> Iterator[bytes]:
        """The body, piece by piece as it arrives.

        :raises faults.Disconnected: it broke off
        """

    def __enter__(self) -> Answer: ...

    def __exit__(self, *exc_info: object) -> None: ...


class Transport(Protocol):
    """Sends one request and returns as soon as the answer's headers are there."""

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: Body | bytes | None = None,
    ) -> Answer:
        """``path`` starts with ``/`` and is added to the endpoint.

        :raises faults.Unreachable: no answer; a request that changes something may have arrived
        """


class DirectAnswer:
    """An answer on a connection of its own."""

    def __init__(
        self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse
    ) -> None:
        self.status = response.status
        self._connection = connection
        self._response = response

    def header(self, name: str) -> str | None:
        return self._response.getheader(name)

    def chunks(self) -> Iterator[bytes]:
        try:
            while chunk := self._response.read1(CHUNK):
                yield chunk
            if self._response.length:
                raise faults.Disconnected(f"the answer ended {self._response.length} bytes early")
        except (http.client.HTTPException, OSError) as exc:
            raise faults.Disconnected(f"the answer broke off: {exc!r}") from exc

    def __enter__(self) -> DirectAnswer:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._response.close()
        self._connection.close()


class DirectTransport:
    """One connection per request: a command makes few, and none can be stale.

    :param endpoint: ``http://host:port[/prefix]`` or ``https://…``
    :param timeout: seconds to wait for a connection, and for each piece of an answer
    :raises faults.ClientError: the endpoint is not such a URL
    """

    def __init__(self, endpoint: str, *, ca_file: str | None = None, timeout: float = 300) -> None:
        parts = urllib.parse.urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise faults.ClientError(
                f"{endpoint!r} is not an endpoint",
                hint="Give --endpoint a URL such as http://127.0.0.1:7070.",
            )
        self.endpoint = endpoint.rstrip("/")
        self._prefix = parts.path.rstrip("/")
        self._host, self._port = parts.hostname, parts.port
        self._tls = _context(ca_file) if parts.scheme == "https" else None
        self._timeout = timeout

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: Body | bytes | None = None,
    ) -> DirectAnswer:
        connection = self._connection()
        try:
            connection.connect()
            # NOTE: a server that refuses an upload answers and closes while we still send;
            # its answer says more than the broken pipe does.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(
                    method, self._prefix + path, body=body, headers=_sized(headers, body)
                )
            return DirectAnswer(connection, connection.getresponse())
        except (http.client.HTTPException, OSError) as exc:
            connection.close()
            raise faults.Unreachable(self.endpoint, exc) from exc
        except BaseException:
            connection.close()
            raise

    def _connection(self) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        return http.client.HTTPSConnection(
            self._host, self._port, timeout=self._timeout, context=self._tls
        )


def _context(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as exc:
        raise faults.ClientError(
            f"cannot read CA certificates from {ca_file}: {exc}", hint="Check --ca-file."
        ) from exc


def _sized(headers: Mapping[str, str], body: Body | bytes | None) -> dict[str, str]:
    sized = {"Connection": "close", **headers}
    if body is not None:
        sized["Content-Length"] = str(len(body))
    return sized
