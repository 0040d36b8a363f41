"""The bucket seam: objects of projects, by bucket and key, which compositions read and write.

Called by the conductor for ItemReader and ResultWriter, and by ``run-local``; drivers are entry
points of ``funcflow.buckets``. Unlike a store, people put things into buckets and take them
out, by whatever means the driver's service has.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol, runtime_checkable

from funcflow import errors
from funcflow.delegations import Lender

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
#: Bytes of a key.
_KEY = 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """An object, as listings show it."""

    key: str
    size: int
    #: Changes whenever the object does.
    etag: str
    #: Seconds since the epoch.
    modified: float


def check(bucket: str, key: str | None = None) -> None:
    """:raises funcflow.errors.BadRequest: this cannot be the name of a bucket, or a key"""
    if not _BUCKET.fullmatch(bucket):
        raise errors.BadRequest(f"{bucket!r} is no name of a bucket")
    if key is None:
        return
    try:
        fits = 0 < len(key.encode()) <= _KEY and "\0" not in key
    except UnicodeEncodeError:
        fits = False
    if not fits:
        raise errors.BadRequest(f"{key[:80]!r} is no key of an object")


def no_bucket(bucket: str) -> errors.NotFound:
    return errors.NotFound(f"there is no bucket {bucket!r}")


def no_object(bucket: str, key: str) -> errors.NotFound:
    return errors.NotFound(f"there is no object {key!r} in bucket {bucket!r}")


@runtime_checkable
class Buckets(Protocol):
    """Each project has buckets of its own; nobody reaches another's. For any thread.

    Every method raises :class:`funcflow.errors.BadRequest` for names that cannot be,
    :class:`funcflow.errors.Forbidden` when the service does not let us, and
    :class:`funcflow.errors.Unavailable` when it is out of reach or full.
    """

    def acting(self, lent: Lender) -> AbstractContextManager[Buckets]:
        """The same buckets, used with the rights that somebody lent instead of the service's own,
        where the driver knows rights. What ``lent`` raises, its methods raise too.
        """

    def list(self, project_id: str, bucket: str, prefix: str = "") -> Iterator[Entry]:
        """Objects whose key begins with the prefix, in the order of their keys' UTF-8 bytes.

        Lazy: what is listed is not all in memory.

        :raises funcflow.errors.NotFound: no such bucket
        """

    def open(self, project_id: str, bucket: str, key: str) -> BinaryIO:
        """The object's bytes, to read in pieces and close.

        :raises funcflow.errors.NotFound: no such bucket or object
        """

    def put(self, project_id: str, bucket: str, key: str, chunks: Iterable[bytes]) -> int:
        """Keep the object durably, instead of an older one of that key; its size in bytes.

        Whole or not at all: readers never see a part. The bucket is made if need be.

        :raises funcflow.errors.Conflict: the service cannot have this key beside another one
        """
