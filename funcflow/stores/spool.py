"""Bytes on their way to a store that must know their digest before it gets them.

Used by :mod:`funcflow.stores.swift`.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable
from typing import BinaryIO, cast

from funcflow import errors

IN_MEMORY = 1024 * 1024


class Spool:
    """What is to be stored, on disk if it is large, and what is to be known of it."""

    def __init__(self, chunks: Iterable[bytes], segment_size: int) -> None:
        """
        :raises errors.Unavailable: the disk is full
        """
        #: (start, size, MD5) of each segment; one at least.
        self.parts: list[tuple[int, int, str]] = []
        self.size = 0
        sha256, md5, start = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
        self.file = cast(BinaryIO, tempfile.SpooledTemporaryFile(IN_MEMORY))  # noqa: SIM115
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

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()


def _write(file: BinaryIO, data: bytes) -> None:
    try:
        file.write(data)
    except OSError as exc:
        raise errors.Unavailable(f"the package cannot be stored: {exc.strerror}") from exc
