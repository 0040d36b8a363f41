"""One account of Swift, asked with bounded patience.

Used by the drivers of stores and buckets, and to read functions' code. What fails and may be
better soon is tried again, a few times; what Swift takes too long for is given up.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, TypeVar

import requests.adapters
import swiftclient
import swiftclient.client
from oslo_config import cfg

from funcflow import errors
from funcflow.swift import faults
from funcflow.swift.service import Login

LOG = logging.getLogger(__name__)
T = TypeVar("T")

#: Seconds before the second try; doubles.
BACKOFF = 0.1
_PIECE = 64 * 1024
_BLOCK = 256 * 1024
_PAGE = 1000
#: Connections kept open while nobody needs them.
_IDLE = 8
# Not even the beginning of a token goes into the log.
swiftclient.client.logger_settings["reveal_sensitive_prefix"] = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Patience:
    """Seconds, bytes a second, and how often."""

    connect: float
    read: float
    rate: float
    retries: int

    @classmethod
    def of(cls, conf: cfg.ConfigOpts) -> Patience:
        own = conf.swift
        return cls(own.connect_timeout, own.read_timeout, own.min_rate, own.retries)

    def hurried(self) -> Patience:
        """For what somebody waits for who holds locks."""
        return dataclasses.replace(
            self, connect=min(self.connect, 1.0), read=min(self.read, 2.0), retries=0
        )

    def enough(self, size: int) -> float:
        """Seconds that moving so many bytes may take."""
        return self.read + size / self.rate


class _Adapter(requests.adapters.HTTPAdapter):
    """Sends files in larger blocks than the 16 KiB that are usual."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options, blocksize=_BLOCK)


class Connection(swiftclient.Connection):  # type: ignore[misc]
    """swiftclient's, which logs in by :class:`Login` and leaves trying again to us."""

    def __init__(self, login: Login, patience: Patience) -> None:
        super().__init__(
            retries=0,
            starting_backoff=BACKOFF,
            timeout=(patience.connect, patience.read),
            session=self,
        )
        self._login = login

    def http_connection(self, url: str | None = None) -> Any:
        parsed, made = super().http_connection(url)
        for scheme in ("http://", "https://"):
            made.request_session.mount(scheme, _Adapter())
        return parsed, made

    def get_auth(self) -> tuple[str, str]:
        return self._login.where(), self._login.token()

    def invalidate(self) -> bool:
        """What swiftclient calls on its session when it got 401."""
        return self._login.renew()


class Account:
    """Any thread may call."""

    def __init__(self, login: Login, patience: Patience) -> None:
        self.patience = patience
        self._login = login
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        #: Requests that were tried again.
        self.retried = 0

    def put(
        self,
        container: str,
        name: str,
        file: BinaryIO,
        size: int,
        etag: str | None = None,
        *,
        query: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Store ``size`` bytes from where the file stands; the ETag that Swift gives them.

        :param etag: their MD5; Swift refuses others
        :raises faults.Missing: no such container
        :raises funcflow.errors.FuncflowError: see :func:`faults.translated`
        """
        check(container, name)
        start = file.tell()

        def send(connection: Connection) -> str:
            file.seek(start)
            paced = _Paced(file, time.monotonic() + self.patience.enough(size))
            found = connection.put_object(
                container, name, paced if size else b"",
                content_length=size, etag=etag, query_string=query, headers=headers,
            )  # fmt: skip
            if etag is not None and found.strip('"') != etag:
                raise OSError("Swift stored other bytes")
            return str(found)

        return self.call(f"object {container}/{name}", send)

    def head(self, container: str, name: str, *, query: str | None = None) -> dict[str, str] | None:
        """The object's headers, in lower case; None: there is none."""
        check(container, name)
        try:
            return self.call(
                f"object {container}/{name}",
                lambda it: dict(it.head_object(container, name, query_string=query)),
            )
        except faults.Missing:
            return None

    def delete(self, container: str, name: str, *, query: str | None = None) -> None:
        """Delete an object; a missing one is fine."""
        check(container, name)
        try:
            self.call(
                f"object {container}/{name}",
                lambda it: it.delete_object(container, name, query_string=query),
            )
        except faults.Missing:
            pass

    def create(self, container: str) -> None:
        """Make a container; one that is there already is fine."""
        check(container)
        self.call(f"container {container}", lambda it: it.put_container(container))

    def has(self, container: str) -> bool:
        """Whether there is such a container."""
        check(container)
        try:
            self.call(f"container {container}", lambda it: it.head_container(container))
        except faults.Missing:
            return False
        return True

    def containers(self, prefix: str) -> list[str]:
        """Names of containers that begin with it."""
        found = self.call(
            "the account", lambda it: it.get_account(prefix=prefix, full_listing=True)[1]
        )
        return [entry["name"] for entry in found]

    def list(self, container: str, prefix: str = "") -> Iterator[dict[str, Any]]:
        """{name, bytes, hash, last_modified} of each object, by name, page by page.

        :raises faults.Missing: no such container
        """
        check(container)
        marker = ""
        while True:
            after = marker
            _, page = self.call(
                f"container {container}",
                lambda it, after=after: it.get_container(  # type: ignore[misc]
                    container, prefix=prefix, marker=after, limit=_PAGE
                ),
            )
            yield from page
            if len(page) < _PAGE:
                return
            marker = page[-1]["name"]

    def call(self, what: str, work: Callable[[Connection], T], *, keep: bool = False) -> T:
        """``work`` done with some connection, again if that may help.

        :param keep: the connection is the caller's afterwards
        :raises funcflow.errors.FuncflowError: it failed for good
        """
        pause = BACKOFF
        for left in range(self.patience.retries, -1, -1):
            connection = self.take()
            try:
                done = work(connection)
            except faults.KINDS as exc:
                connection.close()
                if not left or not faults.passing(exc):
                    raise faults.translated(what, exc) from exc
                LOG.info("Swift is asked again for %s: %s", what, type(exc).__name__)
                self.pause(pause)
                pause *= 2
                continue
            except BaseException:
                connection.close()
                raise
            if not keep:
                self.give_back(connection)
            return done
        raise AssertionError("the last try returns or raises")

    def pause(self, seconds: float) -> None:
        """Before another try."""
        self.retried += 1
        time.sleep(seconds)

    def take(self) -> Connection:
        """A connection for the caller alone, who closes it or gives it back."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return Connection(self._login, self.patience)

    def close(self) -> None:
        """Close the connections that nobody uses; others close when they are given back."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def give_back(self, connection: Connection) -> None:
        """A connection whose last answer was read to its end."""
        with self._lock:
            if len(self._idle) < _IDLE:
                self._idle.append(connection)
                return
        connection.close()


def check(container: str, name: str = "object") -> None:
    """No name leads out of its container, as a path with dots would on its way.

    :raises errors.BadRequest: this one could
    """
    parts = [container, *name.split("/")]
    if "/" in container or not container or not name or {".", ".."}.intersection(parts):
        raise errors.BadRequest(
            f"{container[:80]}/{name[:80]} cannot be the path of an object",
            code="bad_object",
            hint="Names of containers have no slash, and no part of a name is . or ..",
        )


class _Paced:
    """A file that is sent: no more of it once the time is over."""

    def __init__(self, file: BinaryIO, until: float) -> None:
        self._file = file
        self._until = until

    def read(self, size: int = _PIECE) -> bytes:
        if time.monotonic() > self._until:
            raise TimeoutError("Swift takes what is sent too slowly")
        return self._file.read(size)

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, place: int) -> int:
        return self._file.seek(place)
