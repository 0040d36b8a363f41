"""The store that forgets everything at the end of the process; for tests."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

from oslo_config import cfg

from funcflow import errors
from funcflow.stores import base


class MemoryStore:
    """See :class:`funcflow.stores.base.Store`."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, bytes] = {}

    def put(self, chunks: Iterable[bytes], project_id: str | None = None) -> str:
        data = b"".join(chunks)
        digest = hashlib.sha256(data).hexdigest()
        with self._lock:
            self._kept[digest] = data
        return digest

    def open(self, digest: str) -> BinaryIO:
        base.check(digest)
        with self._lock:
            data = self._kept.get(digest)
        if data is None:
            raise errors.NotFound(f"there is no package {digest}")
        return io.BytesIO(data)

    def has(self, digest: str) -> bool:
        base.check(digest)
        with self._lock:
            return digest in self._kept

    def delete(self, digest: str) -> None:
        base.check(digest)
        with self._lock:
            self._kept.pop(digest, None)

    def digests(self) -> Iterator[str]:
        with self._lock:
            kept = sorted(self._kept)
        return iter(kept)

    def metrics(self) -> Mapping[str, float]:
        return {}
