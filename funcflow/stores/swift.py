"""The store in Swift: one object per digest in a container of the service's project; or, as
configured, in containers of the projects that stored it, with links in the one.

Several processes and hosts share it. What was fetched is compared with its digest and kept on
this machine's disk, so that it is there while Swift is not. Packages larger than a segment are
static large objects; their segments appear before the object itself does.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import io
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
from funcflow.stores.spool import IN_MEMORY, Spool
from funcflow.swift import faults
from funcflow.swift.account import Account, Patience
from funcflow.swift.reader import Reader
from funcflow.swift.service import Service

#: Seconds until an object that was just put may be missing no more.
_SETTLING = (0.1, 0.3)
#: Seconds after which segments that no object has are taken for a dead upload's.
_LEFT_OVER = 3600.0
#: Seconds without deleting after Swift was too slow for it: who waits for it holds locks.
_REST = 60.0
_PIECE = 256 * 1024
_DIGEST = re.compile(r"[0-9a-f]{64}")
#: Says which upload's segments the object has.
_UPLOAD = "x-object-meta-funcflow-upload"
_SEGMENTS = "-segments"
#: An id as Keystone makes them: other containers may be another installation's.
_PROJECT = re.compile(r"[0-9a-f]{32}")


class SwiftStore:
    """See :class:`funcflow.stores.base.Store`."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """
        :raises errors.ConfigError: ``[swift]`` is incomplete
        """
        own = conf.swift
        login, patience = Service(conf).own(), Patience.of(conf)
        self._account = Account(login, patience)
        self._hurried = Account(login, patience.hurried())
        #: When (monotonic) Swift may be asked to delete again, after it was too slow.
        self._delete_from = 0.0
        self._container: str = own.container
        self._per_project: bool = own.per_project
        self._segment_size: int = own.segment_size
        self._kept = Kept(config.sub_dir(conf, own.cache, "swift-cache"), own.cache_size)
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def put(self, chunks: Iterable[bytes], project_id: str | None = None) -> str:
        place = self._container
        if self._per_project and project_id and _PROJECT.fullmatch(project_id):
            place = f"{self._container}-{project_id}"
        with Spool(chunks, self._segment_size) as spool, _ours():
            try:
                self._put(spool, place)
            except faults.Missing:
                for container in {self._container, place, _segments(place)}:
                    self._account.create(container)
                self._put(spool, place)
            if self._per_project:
                self._link(spool.digest, place)
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
        if time.monotonic() < self._delete_from:
            raise faults.unavailable("Swift did not delete in time a moment ago")
        self._kept.drop(digest)
        with _ours():
            try:
                place = self._place_of(digest, self._hurried)
                if place is not None:
                    self._delete(place, digest, self._hurried)
                    if place != self._container:
                        self._hurried.delete(self._container, digest)
            except errors.Unavailable:
                self._delete_from = time.monotonic() + _REST
                raise

    def digests(self) -> Iterator[str]:
        """Afterwards what interrupted uploads left is removed."""
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

    def _put(self, spool: Spool, place: str) -> None:
        if len(spool.parts) > 1:
            self._put_segments(spool, place)
            return
        spool.file.seek(0)
        ((_, size, md5),) = spool.parts
        self._account.put(place, spool.digest, spool.file, size, md5)

    def _put_segments(self, spool: Spool, place: str) -> None:
        """Each upload has segments of its own, so that uploads of the same do not meet."""
        upload, segments = uuid.uuid4().hex, _segments(place)
        manifest = []
        try:
            for number, (start, size, md5) in enumerate(spool.parts):
                name = f"{spool.digest}/{upload}/{number:06}"
                manifest.append({"path": f"/{segments}/{name}", "etag": md5, "size_bytes": size})
                spool.file.seek(start)
                self._account.put(segments, name, spool.file, size, md5)
            body = json.dumps(manifest).encode()
            with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
                file.write(body)
                file.seek(0)
                self._account.put(
                    place, spool.digest, cast(BinaryIO, file), len(body),
                    query="multipart-manifest=put", headers={_UPLOAD: upload},
                )  # fmt: skip
        except BaseException:
            # If this fails too, `digests` finds them later.
            with contextlib.suppress(errors.FuncflowError):
                for part in manifest:
                    self._account.delete(segments, str(part["path"])[len(segments) + 2 :])
            raise

    # -- containers of projects ---------------------------------------------------------------

    def _place_of(self, digest: str, account: Account | None = None) -> str | None:
        """The container that has the bytes; None: they are nowhere."""
        account = account or self._account
        headers = account.head(self._container, digest, query="symlink=get")
        if headers is None:
            return None
        return headers.get("x-symlink-target", self._container).partition("/")[0]

    def _link(self, digest: str, place: str) -> None:
        """Let the digest be found in the one container; who had the bytes before has them no
        more, because they are there once."""
        before = self._place_of(digest)
        if place != self._container:
            target = {"X-Symlink-Target": f"{place}/{digest}"}
            self._account.put(self._container, digest, io.BytesIO(), 0, headers=target)
        if before not in (None, place, self._container):
            self._delete(str(before), digest)

    def _delete(self, place: str, digest: str, account: Account | None = None) -> None:
        account = account or self._account
        headers = account.head(place, digest)
        if headers is not None:
            large = "x-static-large-object" in headers
            query = "multipart-manifest=delete" if large else None
            account.delete(place, digest, query=query)

    # -- tidying --------------------------------------------------------------------------------

    def _sweep(self, kept: set[str]) -> None:
        """Remove segments that no object has, and objects that no link leads to, unless their
        upload may still be going on."""
        before = time.time() - _LEFT_OVER
        for container in self._account.containers(f"{self._container}-"):
            place = container.removesuffix(_SEGMENTS)
            project = place.removeprefix(self._container).removeprefix("-")
            if project and not _PROJECT.fullmatch(project):
                continue
            old = [
                entry["name"]
                for entry in self._account.list(container)
                if _moment(entry["last_modified"]) < before
            ]
            if container != place:
                self._sweep_segments(container, place, kept, old)
                continue
            for name in old:
                if name not in kept or self._place_of(name) != container:
                    self._delete(container, name)

    def _sweep_segments(
        self, container: str, place: str, kept: set[str], old: Iterable[str]
    ) -> None:
        groups: dict[tuple[str, str], list[str]] = {}
        for name in old:
            digest, _, rest = name.partition("/")
            groups.setdefault((digest, rest.partition("/")[0]), []).append(name)
        for (digest, upload), names in groups.items():
            headers = self._account.head(place, digest) if digest in kept else None
            if headers is None or headers.get(_UPLOAD) != upload:
                for name in names:
                    self._account.delete(container, name)

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


def _segments(place: str) -> str:
    """The container of the segments of a container's objects."""
    return f"{place}{_SEGMENTS}"


def _write_all(file: BinaryIO, data: bytes) -> None:
    """An unbuffered file may take less at once."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _moment(text: str) -> float:
    """Of a listing: UTC without saying so."""
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC).timestamp()
