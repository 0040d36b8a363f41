"""What Keystone said of tokens, for as long as it may be believed.

Used by :mod:`funcflow.auth.keystone.middleware`. Two times are kept for each token, both on the
monotonic clock, so that a clock that is put right neither revives nor ends anything: until when
the answer is *fresh*, and when the token *ends*. In between Keystone is asked again; while it
does not answer, what it said last is good to the end of the token.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from funcflow import errors

Data = Mapping[str, Any]

#: Tokens remembered at most.
MOST = 20_000
#: Seconds for which a Keystone that did not answer is not asked again.
PAUSE = 2.0


@dataclasses.dataclass(slots=True)
class Entry:
    """One answer. Times are monotonic seconds."""

    data: Data
    fresh_until: float
    ends: float


class Tokens:
    """Thread-safe. Keeps digests of tokens, never tokens."""

    def __init__(self, cache_time: float) -> None:
        """:param cache_time: seconds an answer is fresh; a revoked token lives on as long"""
        self._cache_time = cache_time
        self._lock = threading.Lock()
        self._entries: collections.OrderedDict[bytes, Entry] = collections.OrderedDict()
        self._ask_from = 0.0

    def fetch(self, key: bytes, ask: Callable[[], Data]) -> Entry:
        """What is known of a token; ``ask`` asks Keystone.

        :raises errors.Unavailable: it is not known, and Keystone does not answer
        :raises Exception: whatever else ``ask`` raises; the token is forgotten then
        """
        now = time.monotonic()
        with self._lock:
            known = self._entries.get(key)
            if known is not None and now >= known.ends:
                del self._entries[key]
                known = None
            if known is not None and (now < known.fresh_until or now < self._ask_from):
                self._entries.move_to_end(key)
                return known
            if now < self._ask_from:
                raise unavailable()
            if known is not None:
                # Meanwhile the others go on with what is known.
                known.fresh_until = now + PAUSE
        try:
            return self._keep(key, ask())
        except errors.Unavailable:
            with self._lock:
                self._ask_from = time.monotonic() + PAUSE
            if known is not None:
                return known
            raise
        except Exception:
            with self._lock:
                self._entries.pop(key, None)
            raise

    def fresh_until(self, key: bytes) -> float:
        """When Keystone is to be asked again of a token (monotonic); 0: it is not known."""
        with self._lock:
            known = self._entries.get(key)
            return 0.0 if known is None else known.fresh_until

    def _keep(self, key: bytes, data: Data) -> Entry:
        now = time.monotonic()
        left = _lifetime(data["token"])
        entry = Entry(data, now + min(self._cache_time, left), now + left)
        with self._lock:
            self._entries[key] = entry
            self._entries.move_to_end(key)
            while len(self._entries) > MOST:
                self._entries.popitem(last=False)
        return entry


def digest(*parts: str | bool | None) -> bytes:
    """A key that tells nothing of what it is made from."""
    return hashlib.sha256(repr(parts).encode()).digest()


def unavailable() -> errors.Unavailable:
    """Nobody who is not known already is let in."""
    return errors.Unavailable(
        "Keystone cannot be asked who you are", code="keystone_unavailable", retry_after=PAUSE
    )


def _lifetime(token: Data) -> float:
    """Seconds the token lives, never more than it was given at first; our clock may be wrong.

    0 when it seems to have ended: it is then asked for each time.
    """
    ends, begins = _moment(token["expires_at"]), _moment(token["issued_at"])
    return max(0.0, min(ends - time.time(), ends - begins))


def _moment(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()
