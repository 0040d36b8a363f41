"""Unpacked packages on this machine, for the workers made from them.

Used by the conductor's pools. A folder has its final name only when it is whole, and is never
removed while somebody has a lease on it. Each process works in a slot of its own below the
given path, so several may be given the same.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import fcntl
import hashlib
import itertools
import os
import re
import shutil
import tempfile
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from funcflow import errors
from funcflow.packages import archive
from funcflow.stores import base as store_base

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
#: Digest and bytes taken: a restart need not measure.
_NAME = re.compile(r"([0-9a-f]{64})-([0-9]+)")
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_PIECE = 1024 * 1024


class _Package:
    """A whole package. Its counter is guarded by the cache's lock."""

    __slots__ = ("leases", "path", "size")

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size
        self.leases = 0


class Lease:
    """The promise that ``path`` stays as it is until ``release``."""

    __slots__ = ("_cache", "_package", "path")

    def __init__(self, cache: Cache, package: _Package) -> None:
        self._cache = cache
        self._package: _Package | None = package
        #: The package's folder: read-only and shared.
        self.path = package.path

    def release(self) -> None:
        """Idempotent."""
        package, self._package = self._package, None
        if package is not None:
            self._cache._give_back(package)

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


class Cache:
    """``size_limit``: bytes all unpacked packages may take. Any thread may call."""

    def __init__(self, path: Path, size_limit: int, store: store_base.Store) -> None:
        self._store = store
        self._limit = size_limit
        self._lock = threading.Lock()
        #: Least recently used first.
        self._packages: collections.OrderedDict[str, _Package] = collections.OrderedDict()
        self._coming: dict[str, Future[None]] = {}
        #: Bytes of packages that are there or being unpacked.
        self._used = 0
        self._folder, self._slot = _claim_slot(path)
        self._find_again()

    def fetch(self, digest: str) -> Lease:
        """The unpacked package; unpacks it first if need be, once for all who wait.

        :raises errors.NotFound: the store has no such package
        :raises errors.BadPackage: it is none
        :raises errors.Unavailable: the store is away, or there is no room
        """
        while True:
            with self._lock:
                package = self._packages.get(digest)
                if package is not None:
                    package.leases += 1
                    self._packages.move_to_end(digest)
                    return Lease(self, package)
                coming = self._coming.get(digest)
                mine = coming is None
                if coming is None:
                    coming = self._coming[digest] = Future()
            if not mine:
                coming.result()
                continue
            try:
                package = self._load(digest)
            except BaseException as exc:
                with self._lock:
                    del self._coming[digest]
                coming.set_exception(exc)
                raise
            with self._lock:
                del self._coming[digest]
                package.leases += 1
                self._packages[digest] = package
            coming.set_result(None)
            return Lease(self, package)

    @property
    def used(self) -> int:
        """Bytes taken."""
        with self._lock:
            return self._used

    def close(self) -> None:
        """Let another process have the slot; what is unpacked stays."""
        os.close(self._slot)

    def _give_back(self, package: _Package) -> None:
        with self._lock:
            package.leases -= 1

    def _load(self, digest: str) -> _Package:
        with _whole(self._store.open(digest), digest) as file:
            try:
                return self._unpack(digest, file)
            except OSError as exc:
                if exc.errno not in _NO_ROOM:
                    raise errors.Unavailable(f"a package cannot be unpacked: {exc}") from exc
            # The disk is full: everything that nobody uses goes, then once more.
            self._reserve(self._limit + 1)
            try:
                return self._unpack(digest, file)
            except OSError as exc:
                raise errors.Unavailable(
                    f"a package cannot be unpacked: {exc}", code="no_room", retry_after=5.0
                ) from exc

    def _unpack(self, digest: str, file: BinaryIO) -> _Package:
        temporary = Path(tempfile.mkdtemp(prefix="incoming-", dir=self._folder))
        try:
            size = archive.extract(file, temporary, archive.Limits(inflated=self._limit))
            if not self._reserve(size):
                raise errors.Unavailable(
                    "the package cache is full of packages in use", code="no_room", retry_after=5.0
                )
            path = self._folder / f"{digest}-{size}"
            temporary.rename(path)
            path.chmod(0o555)
        except BaseException:
            _remove(temporary)
            raise
        return _Package(path, size)

    def _reserve(self, wanted: int) -> bool:
        """Count ``wanted`` bytes as used, evicting the least recently used packages for them.

        False: what is in use leaves too little; everything else is gone then.
        """
        gone: list[Path] = []
        with self._lock:
            for digest, package in list(self._packages.items()):
                if self._used + wanted <= self._limit:
                    break
                if package.leases == 0:
                    del self._packages[digest]
                    self._used -= package.size
                    gone.append(_put_aside(package.path))
            enough = self._used + wanted <= self._limit
            if enough:
                self._used += wanted
        for path in gone:
            _remove(path)
        return enough

    def _find_again(self) -> None:
        """Take over what an earlier process left whole, and remove the rest.

        Files are not synced, so after a start of the machine nothing is trusted.
        """
        boot_id = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ""
        marker = self._folder / "boot_id"
        trusted = boot_id and marker.exists() and marker.read_text() == boot_id
        found: list[tuple[float, Path, str, int]] = []
        for path in self._folder.iterdir():
            match = _NAME.fullmatch(path.name)
            if match is not None and trusted:
                found.append((path.stat().st_mtime, path, match[1], int(match[2])))
            elif path != marker:
                _remove(path)
        marker.write_text(boot_id)
        for _, path, digest, size in sorted(found):
            path.chmod(0o555)
            self._packages[digest] = _Package(path, size)
            self._used += size
        self._reserve(0)


def _claim_slot(path: Path) -> tuple[Path, int]:
    """The first folder below ``path`` that no other process uses, and the lock on it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in itertools.count():
        lock = os.open(path / f"{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        folder = path / str(number)
        # Sandboxes enter by mounts of what is below, whoever they run as.
        folder.mkdir(mode=0o755, exist_ok=True)
        return folder, lock
    raise AssertionError("numbers do not end")


@contextlib.contextmanager
def _whole(file: BinaryIO, digest: str) -> Iterator[BinaryIO]:
    """The store's file in a form that can be read in any order, and compared with its digest."""
    with file:
        if file.seekable():
            yield file
            return
        with tempfile.TemporaryFile() as copy:
            found = hashlib.sha256()
            while piece := file.read(_PIECE):
                found.update(piece)
                copy.write(piece)
            if found.hexdigest() != digest:
                raise store_base.damaged(digest)
            yield copy


def _put_aside(path: Path) -> Path:
    """Take away the name at once; removing the files may take a while."""
    aside = path.with_name(f"evicted-{uuid.uuid4().hex}")
    path.rename(aside)
    return aside


def _remove(path: Path) -> None:
    """A folder with read-only folders in it."""
    if not path.is_dir():
        path.unlink(missing_ok=True)
        return
    path.chmod(0o700)
    for folder, names, _ in os.walk(path):
        for name in names:
            os.chmod(os.path.join(folder, name), 0o700)
    shutil.rmtree(path)
