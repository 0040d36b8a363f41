"""One HTTP call to an address that was judged, within bounds of time and size.

Called by the HTTP tasks of compositions. Proxies of the environment are not used: they would
make the judgement worthless.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote, urljoin, urlsplit

from funcflow import errors
from funcflow.egress.addresses import Address, Guard, Refused, Unreachable

#: Seconds one address of several may take to answer.
_CONNECT: Final = 10.0
#: Followed for methods that change nothing.
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SAFE: Final = frozenset({"GET", "HEAD"})
#: All that another host gets to see to which a redirect leads: the rest may be secret.
_HARMLESS: Final = frozenset({"accept", "accept-language", "user-agent"})
_PORTS: Final = {"http": 80, "https": 443}
#: Sent as they are in a path and query.
_URL: Final = "!$%&'()*+,/:;=?@[]~-._"


class BadUrl(errors.BadRequest):
    """It is no address of a web server."""


class TooSlow(errors.Unavailable):
    """The whole call was not over in time."""


class TooBig(errors.TooLarge):
    """The answer is bigger than is taken."""


class Cancelled(Exception):
    """Whoever wanted the answer does not any more."""


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    url: str
    #: In order; Host, Accept-Encoding, Content-Length and Connection are added.
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    reason: str
    #: As sent, in order; a name may come several times.
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """The first of that name; "" if there is none."""
        return next((v for n, v in self.headers if n.lower() == name), "")


@dataclass(frozen=True, slots=True)
class Bounds:
    #: Seconds for the whole call: look-up, redirects and body.
    seconds: float = 60.0
    #: Of the answer's body.
    bytes: int = 256 * 1024
    redirects: int = 5


class Client:
    """Makes calls; one for the process, used by many threads."""

    def __init__(self, guard: Guard, trusted: str | None = None) -> None:
        """:param trusted: file of CA certificates to trust besides the machine's"""
        self._guard = guard
        self._tls = ssl.create_default_context()
        if trusted is not None:
            try:
                self._tls.load_verify_locations(trusted)
            except OSError as exc:
                raise errors.ConfigError(f"cannot read CA certificates: {exc}") from exc

    def call(self, request: Request, bounds: Bounds) -> Call:
        """Prepare a call; ``run`` makes it.

        :raises BadUrl: the URL or a header cannot be sent
        """
        return Call(self._guard, self._tls, request, bounds)


class Call:
    """One call; ``run`` in one thread, ``cancel`` in any."""

    def __init__(self, guard: Guard, tls: ssl.SSLContext, request: Request, bounds: Bounds) -> None:
        _target(request.url)
        self._guard = guard
        self._tls = tls
        self._request = request
        self._bounds = bounds
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._looking = threading.Event()
        self._cancelled = False

    def run(self) -> Response:
        """The answer, after redirects of a GET or HEAD.

        :raises Refused: it may not be reached
        :raises Unreachable: there is no sensible answer
        :raises TooSlow: not in time
        :raises TooBig: more than is taken
        :raises BadUrl: a header or redirect cannot be sent
        :raises Cancelled: ``cancel`` was called
        """
        deadline = time.monotonic() + self._bounds.seconds
        request = self._request
        for _ in range(self._bounds.redirects + 1):
            try:
                response = self._exchange(request, deadline)
            except (OSError, http.client.HTTPException, errors.FuncflowError) as error:
                if self._cancelled:
                    raise Cancelled from None
                raise _told(error, request.url) from error
            location = response.header("location")
            if not (location and response.status in _REDIRECTS and request.method in _SAFE):
                return response
            request = _redirected(request, location)
        raise Unreachable(f"{shown(self._request.url)} leads on and on")

    def cancel(self) -> None:
        """End the call now."""
        with self._lock:
            self._cancelled = True
            self._looking.set()
            if self._socket is not None:
                _shut(self._socket)

    def _exchange(self, request: Request, deadline: float) -> Response:
        target = _target(request.url)
        sock = self._connect(target, deadline)
        try:
            return _exchange(sock, target, request, deadline, self._bounds.bytes)
        finally:
            with self._lock:
                self._socket = None
            sock.close()

    def _connect(self, target: _Target, deadline: float) -> socket.socket:
        with self._lock:
            if self._cancelled:
                raise Cancelled
            self._looking = threading.Event()
        addresses = self._guard.addresses(target.host, target.port, _left(deadline), self._looking)
        sock = self._open(addresses, target.port, deadline)
        if target.scheme == "http":
            return sock
        try:
            sock.settimeout(_left(deadline))
            sock = self._tls.wrap_socket(
                sock, server_hostname=target.host, do_handshake_on_connect=False
            )
            self._keep(sock)
            sock.do_handshake()
        except BaseException:
            sock.close()
            raise
        return sock

    def _open(self, addresses: Sequence[Address], port: int, deadline: float) -> socket.socket:
        """Connect to the first address that takes us."""
        problem: OSError | None = None
        for number, address in enumerate(addresses, 1):
            left = _left(deadline)
            family = socket.AF_INET if address.version == 4 else socket.AF_INET6
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                self._keep(sock)
                sock.settimeout(left if number == len(addresses) else min(left, _CONNECT))
                sock.connect((str(address), port))
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return sock
            except OSError as error:
                sock.close()
                problem = error
            except BaseException:
                sock.close()
                raise
        assert problem is not None
        raise problem

    def _keep(self, sock: socket.socket) -> None:
        """The socket that ``cancel`` shuts."""
        with self._lock:
            if self._cancelled:
                raise Cancelled
            self._socket = sock


class _Timed(io.RawIOBase):
    """What is read from a socket, all of it before the deadline."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(_left(self._deadline))
        return self._sock.recv_into(buffer)


class _Wire:
    """The part of a socket that http.client uses."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        # The timeout is for the whole of the data.
        self._sock.settimeout(_left(self._deadline))
        self._sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Timed(self._sock, self._deadline))

    def close(self) -> None:
        """The call closes the socket."""


@dataclass(frozen=True, slots=True)
class _Target:
    """A URL, taken apart; ``path`` with the query, as it is sent."""

    scheme: str
    #: ASCII, without brackets.
    host: str
    port: int
    path: str

    @property
    def named(self) -> str:
        """What the header Host says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def _target(url: str) -> _Target:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        if not host.isascii():
            host = host.encode("idna").decode()
    except ValueError as error:
        raise BadUrl(f"{shown(url)} is no URL: {error}") from error
    if parts.scheme not in _PORTS or not host:
        raise BadUrl(f"{shown(url)} is no http or https URL")
    if "@" in parts.netloc:
        raise BadUrl("a URL may not carry a name and password")
    path = quote(parts.path or "/", safe=_URL)
    if parts.query:
        path += f"?{quote(parts.query, safe=_URL)}"
    return _Target(parts.scheme, host, port or _PORTS[parts.scheme], path)


def _exchange(
    sock: socket.socket, target: _Target, request: Request, deadline: float, most: int
) -> Response:
    connection = http.client.HTTPConnection(target.host, target.port)
    connection.sock = _Wire(sock, deadline)  # All that is used of a socket.
    headers = [("Host", target.named), *request.headers]
    headers += [("Accept-Encoding", "identity"), ("Connection", "close")]
    if request.body is not None:
        headers.append(("Content-Length", str(len(request.body))))
    try:
        connection.putrequest(
            request.method, target.path, skip_host=True, skip_accept_encoding=True
        )
        for name, value in headers:
            connection.putheader(name, value)
    except (ValueError, http.client.HTTPException) as error:
        raise BadUrl(f"this cannot be sent: {error}") from error
    connection.endheaders(request.body)
    with connection.getresponse() as answer:
        body = answer.read(most + 1)
        if len(body) > most:
            raise TooBig(f"{shown(request.url)} answered more than {most} bytes")
        if answer.length:
            raise http.client.IncompleteRead(body)
        return Response(answer.status, answer.reason, tuple(answer.getheaders()), body)


def _redirected(request: Request, location: str) -> Request:
    url = urljoin(request.url, location)
    before, after = _target(request.url), _target(url)
    if before.scheme == "https" and after.scheme != "https":
        raise Refused(f"{shown(request.url)} leads from https to http")
    if replace(before, path="") == replace(after, path=""):
        return replace(request, url=url)
    headers = tuple(each for each in request.headers if each[0].lower() in _HARMLESS)
    return replace(request, url=url, headers=headers)


def shown(url: str) -> str:
    """The URL without what may be secret, for messages."""
    return "the URL" if "@" in url else url.partition("?")[0].partition("#")[0][:200]


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _told(error: Exception, url: str) -> Exception:
    """The error as callers know it."""
    if isinstance(error, errors.FuncflowError):
        return error
    if isinstance(error, TimeoutError):
        return TooSlow(f"{shown(url)} did not answer in time")
    if isinstance(error, ssl.SSLError):
        said: object = getattr(error, "verify_message", None) or error.reason or error
        return Unreachable(f"{shown(url)}: TLS: {said}")
    if isinstance(error, http.client.IncompleteRead | http.client.RemoteDisconnected):
        return Unreachable(f"{shown(url)}: the answer ended early")
    if isinstance(error, OSError):
        return Unreachable(f"{shown(url)}: {error.strerror or error}")
    return Unreachable(f"{shown(url)}: the answer is not HTTP ({type(error).__name__})")


def _shut(sock: socket.socket) -> None:
    # Not SSLSocket's own: it takes away what the reading thread uses.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
