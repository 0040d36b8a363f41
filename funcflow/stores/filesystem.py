"""The store in a folder: one file per digest, two levels of folders above it.

A file appears under its name only when it is whole and on the disk. Several processes, or hosts
that mount the folder, may share it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, BinaryIO

from oslo_config import cfg

from funcflow import conf as config
from funcflow import errors
from funcflow.stores import base

#: Seconds after which a half-written file is taken for a dead process's.
_LEFT_OVER = 3600.0


class FilesystemStore:
    """See :class:`funcflow.stores.base.Store`."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._root = config.sub_dir(conf, conf.store.path, "packages")
        self._incoming = self._root / "incoming"
        self._incoming.mkdir(mode=0o700, exist_ok=True)
        self._sweep()

    def put(self, chunks: Iterable[bytes], project_id: str | None = None) -> str:
        digest = hashlib.sha256()
        with self._temporary() as (path, file):
            for chunk in chunks:
                digest.update(chunk)
                with _storing():
                    file.write(chunk)
            with _storing():
                file.flush()
                os.fsync(file.fileno())
                self._settle(path, digest.hexdigest())
        return digest.hexdigest()

    def open(self, digest: str) -> BinaryIO:
        """Reads the file once to compare it with its digest; ranges may be read afterwards."""
        path = self._path(digest)
        try:
            file = path.open("rb")
        except FileNotFoundError:
            raise errors.NotFound(f"there is no package {digest}") from None
        except OSError as exc:
            raise errors.Unavailable(f"the package cannot be read: {exc.strerror}") from exc
        try:
            found = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
        except OSError as exc:
            file.close()
            raise errors.Unavailable(f"the package cannot be read: {exc.strerror}") from exc
        if found != digest:
            file.close()
            raise base.damaged(digest)
        return file

    def has(self, digest: str) -> bool:
        return self._path(digest).is_file()

    def delete(self, digest: str) -> None:
        try:
            self._path(digest).unlink(missing_ok=True)
        except OSError as exc:
            raise errors.Unavailable(f"the package cannot be deleted: {exc.strerror}") from exc

    def digests(self) -> Iterator[str]:
        for path in sorted(self._root.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*")):
            yield path.name

    def metrics(self) -> Mapping[str, float]:
        return {}

    def _path(self, digest: str) -> Path:
        base.check(digest)
        return self._root / digest[:2] / digest[2:4] / digest

    @contextlib.contextmanager
    def _temporary(self) -> Iterator[tuple[Path, IO[bytes]]]:
        """A file that is gone afterwards, unless it got another name."""
        with _storing():
            descriptor, name = tempfile.mkstemp(dir=self._incoming)
        # Unbuffered: closing must not find the disk full once more.
        with open(descriptor, "wb", buffering=0) as file:
            try:
                yield Path(name), file
            finally:
                Path(name).unlink(missing_ok=True)

    def _settle(self, temporary: Path, digest: str) -> None:
        """Give the whole file its name, durably; an older, perhaps damaged one is replaced."""
        target = self._path(digest)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary.replace(target)
        for folder in (target.parent, target.parent.parent, self._root):
            _sync(folder)

    def _sweep(self) -> None:
        """Remove what processes that died while writing left."""
        before = time.time() - _LEFT_OVER
        for path in self._incoming.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    path.unlink()


@contextlib.contextmanager
def _storing() -> Iterator[None]:
    """Faults of the disk, and of nothing else, are the store's."""
    try:
        yield
    except OSError as exc:
        raise errors.Unavailable(f"the package cannot be stored: {exc.strerror}") from exc


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
