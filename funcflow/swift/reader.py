"""An object of Swift as a file, read piece by piece.

A connection that breaks is made again, at the same place and of the same object: when it changed
meanwhile, reading ends with an error, and nobody gets a mixture. What was read to its end is
compared with its ETag.
"""

from __future__ import annotations

import hashlib
import io
import re
import time
from typing import Any

from funcflow.swift import faults
from funcflow.swift.account import BACKOFF, Account, Connection, check

_PIECE = 64 * 1024
_MD5 = re.compile(r"[0-9a-f]{32}")


class Reader(io.RawIOBase):
    """For one thread. Memory stays at one piece, whatever the object's size."""

    def __init__(
        self, account: Account, container: str, name: str, *, newest: bool = False
    ) -> None:
        """
        :param newest: let Swift look at every copy, not at the first one it finds
        :raises faults.Missing: no such object
        :raises funcflow.errors.FuncflowError: see :func:`faults.translated`
        """
        super().__init__()
        check(container, name)
        self._account = account
        self._container, self._name = container, name
        self._what = f"object {container}/{name}"
        self._asked = {"X-Newest": "true"} if newest else {}
        self._connection: Connection | None = None
        self._body: Any = None
        self._at = 0
        self._waited = self._taken = 0.0
        self._tries = account.patience.retries
        self._md5: Any = hashlib.md5(usedforsecurity=False)
        #: Changes whenever the object does. As Swift says it, quotes included.
        self.etag = ""
        headers = account.call(self._what, self._begin, keep=True)
        self.etag = headers.get("etag", "")
        #: Bytes of the object; None: Swift does not say.
        self.size = int(headers["content-length"]) if "content-length" in headers else None
        large = {"x-static-large-object", "x-object-manifest"} & headers.keys()
        if large or not _MD5.fullmatch(self.etag):
            self._md5 = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self.size is not None

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if self.size is None:
            raise io.UnsupportedOperation("the object's size is not known")
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        place = max(0, start + offset)
        if place != self._at:
            self._drop()
            self._at = place
            self._md5 = None
        return place

    def readinto(self, buffer: Any) -> int:
        """
        :raises faults.Changed: the object is not any more what it was
        :raises funcflow.errors.Unavailable: Swift breaks off, is too slow, or sends other bytes
        """
        while not self._at_end():
            try:
                data = self._piece(min(len(buffer), _PIECE))
            except faults.KINDS as exc:
                self._drop()
                if not self._tries or not faults.passing(exc):
                    raise faults.translated(self._what, exc) from exc
                self._tries -= 1
                self._account.pause(BACKOFF)
                continue
            if not data and self.size is None:
                self.size = self._at
                continue
            self._at += len(data)
            if self._md5 is not None:
                self._md5.update(data)
            buffer[: len(data)] = data
            return len(data)
        self._finish()
        return 0

    def close(self) -> None:
        if not self.closed:
            self._drop()
        super().close()

    def _at_end(self) -> bool:
        return self.size is not None and self._at >= self.size

    def _piece(self, size: int) -> bytes:
        """What comes next. Waiting counts, and what the caller does in between does not."""
        began = time.monotonic()
        try:
            if self._body is None:
                self._begin(self._account.take())
            # As much as there is: one that trickles must be noticed.
            data: bytes = self._body.resp.raw.read1(size)
        finally:
            self._waited += time.monotonic() - began
        if not data and self.size is not None:
            raise ConnectionError("Swift broke off")
        self._taken += len(data)
        if self._waited > self._account.patience.enough(int(self._taken)):
            self._tries = 0
            raise TimeoutError("Swift is too slow")
        return data

    def _begin(self, connection: Connection) -> dict[str, str]:
        """Ask for the object from where we are on; keeps the connection if that works."""
        self._connection = connection
        asked = dict(self._asked)
        if self.etag:
            asked["If-Match"] = self.etag
        if self._at:
            asked["Range"] = f"bytes={self._at}-"
        headers, body = connection.get_object(
            self._container, self._name, resp_chunk_size=_PIECE, headers=asked
        )
        if self._at and not headers.get("content-range", "").startswith(f"bytes {self._at}-"):
            raise ConnectionError("Swift does not send the part that was asked for")
        self._body = body
        return dict(headers)

    def _finish(self) -> None:
        """At the end: the connection can be used again, if the body was what it should be."""
        if self._body is not None and not self._body.resp.raw.read1(1):
            connection, self._connection, self._body = self._connection, None, None
            if connection is not None:
                self._account.give_back(connection)
        self._drop()
        digest, self._md5 = self._md5, None
        if digest is not None and digest.hexdigest() != self.etag:
            raise faults.damaged(self._what)

    def _drop(self) -> None:
        connection, self._connection, self._body = self._connection, None, None
        if connection is not None:
            connection.close()
