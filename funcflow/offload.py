"""Large texts go to the store, and a reference to them into the row.

Used by the API (inputs, definitions of what it shows) and by the conductor (log entries, outputs)
for everything that executions of compositions keep.
"""

from __future__ import annotations

import secrets
from typing import Final

from funcflow import references
from funcflow.stores import base as store_base

#: Bytes before the text that make it another one than any other.
_SALT: Final = 16


class Offload:
    """Texts of more than ``limit`` bytes stand in the store. For any thread."""

    def __init__(self, store: store_base.Store, limit: int) -> None:
        self._store = store
        self._limit = limit

    def out(self, text: str) -> str:
        """What the row keeps: the text itself, or a reference.

        :raises funcflow.errors.Unavailable: the store cannot take it now
        """
        # A character has four bytes at most, so most texts need not be encoded to be measured.
        if len(text) * 4 <= self._limit:
            return text
        data = text.encode(errors="surrogatepass")
        if len(data) <= self._limit:
            return text
        # Stored once more each time: what stands there already may be garbage being collected.
        return references.to(self._store.put([secrets.token_bytes(_SALT), data]))

    def back(self, text: str) -> str:
        """The text a row's value stands for.

        :raises funcflow.errors.NotFound: the store has lost it
        :raises funcflow.errors.Unavailable: the store is out of reach
        """
        digest = references.digest_of(text)
        if digest is None:
            return text
        with self._store.open(digest) as file:
            return file.read()[_SALT:].decode(errors="surrogatepass")
