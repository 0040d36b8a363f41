"""The store seam: function packages and large payloads, by digest.

Called by the API (put) and the conductor (fetch); drivers are entry points of ``funcflow.stores``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO, Protocol, runtime_checkable

from funcflow import errors

_DIGEST = re.compile(r"[0-9a-f]{64}")


def check(digest: str) -> None:
    """:raises funcflow.errors.NotFound: this cannot be a digest"""
    if not _DIGEST.fullmatch(digest):
        raise errors.NotFound(f"{digest!r} is no digest")


def damaged(digest: str) -> errors.Unavailable:
    """What to raise when the bytes are not those of the digest.

    With a code of its own: unlike a store that is away, it does not pass by waiting.
    """
    return errors.Unavailable(
        f"package {digest} is damaged in the store",
        code="package_damaged",
        hint="Upload the function's package again, or restore the store from a backup.",
    )


@runtime_checkable
class Store(Protocol):
    """Content-addressed: the same bytes have one digest (sha256, hexadecimal)."""

    def put(self, chunks: Iterable[bytes], project_id: str | None = None) -> str:
        """Keep the bytes durably and return their digest. Putting twice is harmless.

        :param project_id: whose they are, for stores that keep account; None: the service's
        :raises funcflow.errors.Unavailable: disk full, service away; nothing half-written stays
        """

    def open(self, digest: str) -> BinaryIO:
        """The bytes, as a file to read and close.

        :raises funcflow.errors.NotFound: no such digest
        :raises funcflow.errors.Unavailable: out of reach, or :func:`damaged`
        """

    def has(self, digest: str) -> bool:
        """Whether the store itself has the bytes, whatever copies of them there are."""

    def delete(self, digest: str) -> None:
        """Forget the bytes; missing ones are fine. Quickly or not at all: transactions wait for it.

        :raises funcflow.errors.Unavailable: they stay for now
        """

    def digests(self) -> Iterator[str]:
        """All digests kept, for garbage collection."""

    def metrics(self) -> Mapping[str, float]:
        """What it counted and measured, by names of :mod:`funcflow.stores.metrics`."""
