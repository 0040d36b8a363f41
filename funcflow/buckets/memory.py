"""Buckets that are gone at the end of the process; for tests."""

from __future__ import annotations

import contextlib
import hashlib
import io
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO

from oslo_config import cfg

from funcflow.buckets import base
from funcflow.delegations import Lender


class MemoryBuckets:
    """See :class:`funcflow.buckets.base.Buckets`."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], dict[str, tuple[bytes, float]]] = {}

    def acting(self, lent: Lender) -> AbstractContextManager[base.Buckets]:
        return contextlib.nullcontext(self)

    def list(self, project_id: str, bucket: str, prefix: str = "") -> Iterator[base.Entry]:
        base.check(bucket)
        with self._lock:
            objects = self._objects(project_id, bucket)
            chosen = [each for each in objects.items() if each[0].startswith(prefix)]
        for key, (data, modified) in sorted(chosen, key=lambda each: each[0].encode()):
            etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
            yield base.Entry(key, len(data), etag, modified)

    def open(self, project_id: str, bucket: str, key: str) -> BinaryIO:
        base.check(bucket, key)
        with self._lock:
            found = self._objects(project_id, bucket).get(key)
        if found is None:
            raise base.no_object(bucket, key)
        return io.BytesIO(found[0])

    def put(self, project_id: str, bucket: str, key: str, chunks: Iterable[bytes]) -> int:
        base.check(bucket, key)
        data = b"".join(chunks)
        with self._lock:
            self._kept.setdefault((project_id, bucket), {})[key] = (data, time.time())
        return len(data)

    def _objects(self, project_id: str, bucket: str) -> dict[str, tuple[bytes, float]]:
        try:
            return self._kept[project_id, bucket]
        except KeyError:
            raise base.no_bucket(bucket) from None
