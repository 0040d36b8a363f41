"""The store in Swift: one object per digest in a container of the service's project.

Several processes and hosts share it. What was fetched is compared with its digest and kept on
this machine's disk, so that it is there while Swift is not. Packages larger than a segment are
static large objects; their segments appear before the object itself does.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import re
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO, cast

from oslo_config import cfg

from funcflow import conf as config
from funcflow import errors
from funcflow.stores import base
from funcflow.stores.kept import Kept
from funcflow.swift import faults
from funcflow.swift.account import Account, Patience
from funcflow.swift.reader import Reader
from funcflow.swift.service import Service

#: Seconds until an object that was just put may be missing no more.
_SETTLING = (0.1, 0.3)
#: Seconds after which segments that no object has are taken for a dead upload's.
_LEFT_OVER = 3600.0
_IN_MEMORY = 1024 * 1024
_PIECE = 256 * 1024
_DIGEST = re.compile(r"[0-9a-f]{64}")
#: Says which upload's segments the object has.
_UPLOAD = "x-object-meta-funcflow-upload"


class SwiftStore:
    """See :class:`funcflow.stores.base.Store`."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """
        :raises errors.ConfigError: ``[swift]`` is incomplete
        """
        own = conf.swift
        self._account = Account(Service(conf).own(), Patience.of(conf))
        self._container: str = own.container
        self._segments = f"{own.container}-segments"
        self._segment_size: int = own.segment_size
        self._kept = Kept(config.sub_dir(conf, own.cache, "swift-cache"), own.cache_size)
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def put(self, chunks: Iterable[bytes]) -> str:
        with _Spool(chunks, self._segment_size) as spool, _ours():
            try:
                self._put(spool)
            except faults.Missing:
                self._account.create(self._container)
                self._account.create(self._segments)
                self._put(spool)
            self._count(puts=1, sent_bytes=spool.size)
            return spool.digest

    def open(self, digest: str) -> BinaryIO:
        base.check(digest)
        file = self._kept.open(digest)
        if file is not None:
            self._count(cache_hits=1)
            return file
        try:
            with _ours():
                file = self._kept.keep(digest, lambda copy: self._fetch(digest, copy))
        except errors.Unavailable as exc:
            self._count(**{"damaged" if exc.code == "package_damaged" else "failures": 1})
            raise
        self._count(fetches=1)
        return file

    def has(self, digest: str) -> bool:
        base.check(digest)
        with _ours():
            return self._account.head(self._container, digest) is not None

    def delete(self, digest: str) -> None:
        base.check(digest)
        self._kept.drop(digest)
        with _ours():
            headers = self._account.head(self._container, digest)
            if headers is not None:
                large = "x-static-large-object" in headers
                query = "multipart-manifest=delete" if large else None
                self._account.delete(self._container, digest, query=query)

    def digests(self) -> Iterator[str]:
        """Afterwards segments that interrupted uploads left are removed."""
        seen = set()
        with _ours(), contextlib.suppress(faults.Missing):
            for entry in self._account.list(self._container):
                if _DIGEST.fullmatch(entry["name"]):
                    seen.add(entry["name"])
                    yield entry["name"]
            self._sweep(seen)

    def metrics(self) -> Mapping[str, float]:
        with self._lock:
            counts = dict(self._counts)
        return {
            **{f"{name}_total": float(count) for name, count in counts.items()},
            "retries_total": float(self._account.retried),
            "cache_bytes": float(self._kept.used),
        }

    def _count(self, **more: int) -> None:
        with self._lock:
            self._counts.update(more)

    # -- writing ----------------------------------------------------------------------------

    def _put(self, spool: _Spool) -> None:
        if len(spool.parts) > 1:
            self._put_segments(spool)
            return
        spool.file.seek(0)
        ((_, size, md5),) = spool.parts
        self._account.put(self._container, spool.digest, spool.file, size, md5)

    def _put_segments(self, spool: _Spool) -> None:
        """Each upload has segments of its own, so that uploads of the same do not meet."""
        upload = uuid.uuid4().hex
        manifest = []
        try:
            for number, (start, size, md5) in enumerate(spool.parts):
                name = f"{spool.digest}/{upload}/{number:06}"
                manifest.append(
                    {"path": f"/{self._segments}/{name}", "etag": md5, "size_bytes": size}
                )
                spool.file.seek(start)
                self._account.put(self._segments, name, spool.file, size, md5)
            body = json.dumps(manifest).encode()
            with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
                file.write(body)
                file.seek(0)
                self._account.put(
                    self._container, spool.digest, cast(BinaryIO, file), len(body),
                    query="multipart-manifest=put", headers={_UPLOAD: upload},
                )  # fmt: skip
        except BaseException:
            # If this fails too, `digests` finds them later.
            with contextlib.suppress(errors.FuncflowError):
                self._remove([part["path"] for part in manifest])
            raise

    def _remove(self, paths: Iterable[object]) -> None:
        for path in paths:
            self._account.delete(self._segments, str(path).removeprefix(f"/{self._segments}/"))

    def _sweep(self, kept: set[str]) -> None:
        """Remove segments that no object has, unless their upload may still be going on."""
        before = time.time() - _LEFT_OVER
        groups: dict[tuple[str, str], list[str]] = {}
        for entry in self._account.list(self._segments):
            digest, _, rest = entry["name"].partition("/")
            if _moment(entry["last_modified"]) < before:
                groups.setdefault((digest, rest.partition("/")[0]), []).append(entry["name"])
        for (digest, upload), names in groups.items():
            headers = self._account.head(self._container, digest) if digest in kept else None
            if headers is None or headers.get(_UPLOAD) != upload:
                self._remove(names)

    # -- reading ----------------------------------------------------------------------------

    def _fetch(self, digest: str, copy: BinaryIO) -> None:
        """Write the object's bytes into the empty file.

        :raises errors.NotFound: there is none
        :raises errors.Unavailable: Swift is away, or :func:`base.damaged`
        """
        for newest in (False, True):
            copy.seek(0)
            copy.truncate()
            found = hashlib.sha256()
            try:
                with self._opened(digest, newest) as reader:
                    while piece := reader.read(_PIECE):
                        found.update(piece)
                        _write_all(copy, piece)
                        self._count(received_bytes=len(piece))
            except (faults.Changed, errors.Unavailable) as exc:
                if exc.code == "swift_unavailable":
                    raise
            if found.hexdigest() == digest:
                return
        raise base.damaged(digest)

    def _opened(self, digest: str, newest: bool) -> Reader:
        """An object may be put on one machine and asked for on another a moment later."""
        for pause in _SETTLING:
            with contextlib.suppress(faults.Missing):
                return Reader(self._account, self._container, digest, newest=newest)
            time.sleep(pause)
            newest = True
        try:
            return Reader(self._account, self._container, digest, newest=True)
        except faults.Missing:
            raise errors.NotFound(f"there is no package {digest}") from None


@contextlib.contextmanager
def _ours() -> Iterator[None]:
    """What Swift refuses us is a fault of the installation, not of who asked for a package."""
    try:
        yield
    except faults.Refused as exc:
        raise faults.unavailable(exc.message) from exc


class _Spool:
    """What is to be stored, on disk if it is large, and what is to be known of it."""

    def __init__(self, chunks: Iterable[bytes], segment_size: int) -> None:
        """
        :raises errors.Unavailable: the disk is full
        """
        #: (start, size, MD5) of each segment; one at least.
        self.parts: list[tuple[int, int, str]] = []
        self.size = 0
        sha256, md5, start = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
        self.file = cast(BinaryIO, tempfile.SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115
        try:
            for chunk in chunks:
                sha256.update(chunk)
                _write(self.file, chunk)
                rest = memoryview(chunk)
                while rest:
                    room = start + segment_size - self.size
                    if not room:
                        self.parts.append((start, segment_size, md5.hexdigest()))
                        start, md5 = self.size, hashlib.md5(usedforsecurity=False)
                        continue
                    md5.update(rest[:room])
                    self.size += len(rest[:room])
                    rest = rest[room:]
        except BaseException:
            self.file.close()
            raise
        self.parts.append((start, self.size - start, md5.hexdigest()))
        self.digest = sha256.hexdigest()

    def __enter__(self) -> _Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()


def _write(file: BinaryIO, data: bytes) -> None:
    try:
        file.write(data)
    except OSError as exc:
        raise errors.Unavailable(f"the package cannot be stored: {exc.strerror}") from exc


def _write_all(file: BinaryIO, data: bytes) -> None:
    """An unbuffered file may take less at once."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _moment(text: str) -> float:
    """Of a listing: UTC without saying so."""
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC).timestamp()
