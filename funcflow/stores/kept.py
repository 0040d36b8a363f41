"""Copies of what a store far away has, on this machine's disk: whole, checked, and bounded.

Used by :mod:`funcflow.stores.swift`. Several processes may share the folder: files appear under
their digest when they are whole and never change, and whoever has one open may read on when it
is gone. The least recently used go first.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from funcflow import errors

#: Seconds after which a half-written file is taken for a dead process's.
_LEFT_OVER = 3600.0
_NAME = re.compile(r"[0-9a-f]{64}")
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class Kept:
    """``limit``: bytes of all copies. Any thread may call."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        before = time.time() - _LEFT_OVER
        for path, stat in self._files():
            if not _NAME.fullmatch(path.name) and stat.st_mtime < before:
                path.unlink(missing_ok=True)

    @property
    def used(self) -> int:
        """Bytes taken."""
        return sum(stat.st_size for _, stat in self._files())

    def open(self, digest: str) -> BinaryIO | None:
        """The copy, compared with its digest; None: there is none that is good."""
        path = self._folder / digest
        try:
            file = path.open("rb")
        except OSError:
            return None
        try:
            # Copies are not synced: after a power cut they may be anything.
            good = hashlib.file_digest(file, "sha256").hexdigest() == digest
            file.seek(0)
            if good:
                os.utime(file.fileno())
                return file
        except OSError:
            pass
        file.close()
        self.drop(digest)
        return None

    def keep(self, digest: str, fetch: Callable[[BinaryIO], None]) -> BinaryIO:
        """A new copy, open: what ``fetch`` writes into an empty file, having checked it.

        :raises funcflow.errors.Unavailable: no room
        """
        try:
            try:
                return self._write(digest, fetch)
            except OSError as exc:
                if exc.errno not in _NO_ROOM:
                    raise
            self._shrink(0)
            return self._write(digest, fetch)
        except OSError as exc:
            raise errors.Unavailable(
                f"a copy of {digest} cannot be written: {exc.strerror}",
                code="no_room",
                retry_after=5.0,
            ) from exc

    def drop(self, digest: str) -> None:
        """Forget the copy; a missing one is fine."""
        with contextlib.suppress(OSError):
            (self._folder / digest).unlink()

    def _write(self, digest: str, fetch: Callable[[BinaryIO], None]) -> BinaryIO:
        descriptor, name = tempfile.mkstemp(dir=self._folder)
        # Unbuffered: closing must not find the disk full once more.
        with open(descriptor, "w+b", buffering=0) as file:
            try:
                fetch(file)
                Path(name).replace(self._folder / digest)
            finally:
                Path(name).unlink(missing_ok=True)
            self._shrink(self._limit)
            file.seek(0)
            # Not by its name, which may be gone again; with a buffer for who reads bit by bit.
            return open(os.dup(file.fileno()), "rb")

    def _shrink(self, limit: int) -> None:
        """Remove what was not used for longest, until the rest takes ``limit`` bytes at most."""
        files = sorted(
            ((path, stat) for path, stat in self._files() if _NAME.fullmatch(path.name)),
            key=lambda each: each[1].st_mtime,
        )
        used = sum(stat.st_size for _, stat in files)
        for path, stat in files:
            if used <= limit:
                return
            path.unlink(missing_ok=True)
            used -= stat.st_size

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for path in self._folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                yield path, path.stat()
