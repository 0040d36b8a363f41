"""Buckets in a folder: ``<folder>/<project>/<bucket>/<key>``, which may be shared by hosts.

People put files there with the means of the system, and find there what was written. A file
appears under its name only when it is whole and on the disk.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from oslo_config import cfg

from funcflow import conf as config
from funcflow import errors
from funcflow.buckets import base
from funcflow.delegations import Lender

#: Files on their way; no project has such a name.
_INCOMING = ".incoming"
#: Seconds after which a half-written file is taken for a dead process's.
_LEFT_OVER = 3600.0
_PROJECT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,254}")


class FilesystemBuckets:
    """See :class:`funcflow.buckets.base.Buckets`."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._root = config.sub_dir(conf, conf.compositions.buckets_path, "buckets").resolve()
        self._incoming = self._root / _INCOMING
        self._incoming.mkdir(mode=0o700, exist_ok=True)
        self._sweep()

    def acting(self, lent: Lender) -> AbstractContextManager[base.Buckets]:
        return contextlib.nullcontext(self)

    def list(self, project_id: str, bucket: str, prefix: str = "") -> Iterator[base.Entry]:
        return self._folder(project_id).list(bucket, prefix)

    def open(self, project_id: str, bucket: str, key: str) -> BinaryIO:
        return self._folder(project_id).open(bucket, key)

    def put(self, project_id: str, bucket: str, key: str, chunks: Iterable[bytes]) -> int:
        return self._folder(project_id).put(bucket, key, chunks)

    def _folder(self, project_id: str) -> Folder:
        if not _PROJECT.fullmatch(project_id):
            raise errors.BadRequest(f"{project_id!r} cannot have buckets")
        return Folder(self._root / project_id, self._incoming)

    def _sweep(self) -> None:
        """Remove what processes that died while writing left."""
        before = time.time() - _LEFT_OVER
        for path in self._incoming.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    path.unlink()


class Folder:
    """A folder with a folder for each bucket; also what ``run-local`` takes for buckets.

    A key is a path: no empty parts, no ``.`` and ``..``, and what is an object is no folder.
    Links are not followed: what can be reached is what is in the folder.
    """

    def __init__(self, root: Path, incoming: Path) -> None:
        """
        :param root: without links in its path
        :param incoming: where files grow until they are whole; on the same disk
        """
        self._root = root
        self._incoming = incoming

    def list(self, bucket: str, prefix: str = "") -> Iterator[base.Entry]:
        folder = self._bucket(bucket)
        with _reading():
            if not folder.is_dir():
                raise base.no_bucket(bucket)
        yield from self._below(folder, "", prefix)

    def open(self, bucket: str, key: str) -> BinaryIO:
        folder = self._bucket(bucket)
        path = self._path(folder, key)
        with _reading():
            if not folder.is_dir():
                raise base.no_bucket(bucket)
            try:
                if path.is_file() and path.resolve() == path:
                    return path.open("rb")
            except FileNotFoundError:
                pass  # It went away meanwhile.
        raise base.no_object(bucket, key)

    def put(self, bucket: str, key: str, chunks: Iterable[bytes]) -> int:
        path = self._path(self._bucket(bucket), key)
        size = 0
        with self._temporary() as (temporary, file):
            for chunk in chunks:
                with _storing(key):
                    _write(file, chunk)
                size += len(chunk)
            with _storing(key):
                os.fsync(file)
                self._settle(temporary, path)
        return size

    # -- names ----------------------------------------------------------------------------

    def _bucket(self, bucket: str) -> Path:
        base.check(bucket)
        return self._root / bucket

    def _path(self, folder: Path, key: str) -> Path:
        base.check(folder.name, key)
        parts = key.split("/")
        if any(part in ("", ".", "..") or len(os.fsencode(part)) > 255 for part in parts):
            raise errors.BadRequest(f"{key[:80]!r} cannot be the path of a file")
        return folder.joinpath(*parts)

    # -- reading --------------------------------------------------------------------------

    def _below(self, folder: Path, before: str, prefix: str) -> Iterator[base.Entry]:
        """Objects of a folder and those in it, by key; ``before`` is its key, with a slash."""
        names: list[tuple[bytes, str, bool]] = []
        with _reading(), _listed(folder) as entries:
            for entry in entries:
                is_folder = entry.is_dir(follow_symlinks=False)
                # Folders take the place that their objects have: "a-b" comes before "a/b".
                shown = f"{before}{entry.name}{'/' if is_folder else ''}"
                if shown.startswith(prefix) or (is_folder and prefix.startswith(shown)):
                    names.append((os.fsencode(shown), entry.name, is_folder))
        for _, name, is_folder in sorted(names):
            if is_folder:
                yield from self._below(folder / name, f"{before}{name}/", prefix)
            elif found := self._entry(folder / name, f"{before}{name}"):
                yield found

    def _entry(self, path: Path, key: str) -> base.Entry | None:
        """None: it went away meanwhile, or is not what could be opened."""
        try:
            base.check("any", key)
            with _reading():
                found = path.lstat()
        except (FileNotFoundError, errors.BadRequest):
            return None
        if not stat.S_ISREG(found.st_mode):
            return None
        etag = f"{found.st_mtime_ns:x}-{found.st_size:x}"
        return base.Entry(key, found.st_size, etag, found.st_mtime)

    # -- writing --------------------------------------------------------------------------

    @contextlib.contextmanager
    def _temporary(self) -> Iterator[tuple[Path, int]]:
        """A file, open, that is gone afterwards, unless it got another name."""
        with _storing("the object"):
            descriptor, name = tempfile.mkstemp(dir=self._incoming)
        try:
            yield Path(name), descriptor
        finally:
            os.close(descriptor)
            Path(name).unlink(missing_ok=True)

    def _settle(self, temporary: Path, path: Path) -> None:
        """Give the whole file its name, durably."""
        if path.parent.resolve() != path.parent:
            raise errors.Conflict(f"{path.name!r}: a link is in the place of a folder")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary.replace(path)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as exc:
            raise errors.Conflict(f"{path.name!r}: a file is in the place of a folder") from exc
        for each in (path.parent, *path.parent.parents):
            _sync(each)
            if each == self._incoming.parent:
                return


@contextlib.contextmanager
def _listed(folder: Path) -> Iterator[Iterator[os.DirEntry[str]]]:
    """What is in a folder; nothing, if it went away meanwhile."""
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:
        yield iter(())
        return
    with entries:
        yield entries


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


@contextlib.contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise errors.Unavailable(f"a bucket cannot be read: {exc.strerror}") from exc


@contextlib.contextmanager
def _storing(key: str) -> Iterator[None]:
    """Faults of the disk, and of nothing else, are the buckets'."""
    try:
        yield
    except OSError as exc:
        raise errors.Unavailable(f"{key} cannot be stored: {exc.strerror}") from exc


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
