"""Tokens of trusts, for as long as they may be lent.

Used by :class:`funcflow.trusts.book.Trusts`. A token is kept until shortly before it ends, and
Keystone is asked every few seconds whether it is still good: so a trust that was revoked is found
out by the next run. While Keystone does not answer, what is there is good to its end, and nothing
new is had. However many ask at once, one of them asks Keystone.
"""

from __future__ import annotations

import collections
import dataclasses
import threading
import time
from typing import Final

from funcflow import delegations, errors
from funcflow.db import trusts
from funcflow.db.engine import Database
from funcflow.trusts import base

#: Trusts whose tokens are kept at most.
MOST: Final = 10_000
#: Seconds before its end at which a token is as good as ended: clocks differ, calls take time.
MARGIN: Final = 15.0
#: Seconds for which a Keystone that did not answer is not asked again.
PAUSE: Final = 2.0


@dataclasses.dataclass(slots=True, eq=False)
class _Entry:
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)
    external_id: str = dataclasses.field(default="", repr=False)
    delegation: delegations.Delegation | None = None
    #: Monotonic: until when Keystone need not be asked.
    fresh_until: float = 0.0

    def usable(self, lasting: float) -> delegations.Delegation | None:
        """The token, if it lives long enough."""
        held = self.delegation
        if held is None or held.expires_at - time.time() < lasting + MARGIN:
            return None
        return held


class Tokens:
    """Thread-safe."""

    def __init__(self, driver: base.Driver, database: Database, check_interval: float) -> None:
        self._driver = driver
        self._database = database
        self._check_interval = check_interval
        self._lock = threading.Lock()
        self._entries: collections.OrderedDict[str, _Entry] = collections.OrderedDict()
        self._ask_from = 0.0

    def get(self, trust_id: str, lasting: float, *, fresh: bool = False) -> delegations.Delegation:
        """See :meth:`funcflow.trusts.book.Trusts.token`."""
        entry = self._entries.get(trust_id) or self._new(trust_id)
        if fresh:
            entry.fresh_until = 0.0
        if time.monotonic() < entry.fresh_until and (held := entry.usable(lasting)):
            return held
        with entry.lock:
            if time.monotonic() < entry.fresh_until and (held := entry.usable(lasting)):
                return held
            return self._ask(trust_id, entry, lasting)

    def _new(self, trust_id: str) -> _Entry:
        with self._lock:
            entry = self._entries.setdefault(trust_id, _Entry())
            while len(self._entries) > MOST:
                self._entries.popitem(last=False)
            return entry

    def _ask(self, trust_id: str, entry: _Entry, lasting: float) -> delegations.Delegation:
        trust = self._trust(trust_id)
        now = time.monotonic()
        held = entry.usable(lasting) if trust.external_id == entry.external_id else None
        if held is not None and self._check_interval:
            # Meanwhile the others go on with what is known.
            entry.fresh_until = now + PAUSE
        if held is not None and self._still_good(held):
            entry.fresh_until = now + self._check_interval
            return held
        entry.delegation, entry.fresh_until = None, 0.0
        if now < self._ask_from:
            raise errors.Unavailable(
                "Keystone did not answer just now", code="keystone_unavailable", retry_after=PAUSE
            )
        try:
            made = self._driver.token(trust.external_id)
        except errors.Unavailable:
            self._ask_from = time.monotonic() + PAUSE
            raise
        except base.TrustInvalid:
            self._spoiled(trust)
            raise
        entry.external_id, entry.delegation = trust.external_id, made
        entry.fresh_until = now + self._check_interval
        return made

    def _still_good(self, held: delegations.Delegation) -> bool:
        """Also when nobody can say."""
        if time.monotonic() < self._ask_from:
            return True
        try:
            return self._driver.good(held)
        except errors.Unavailable:
            self._ask_from = time.monotonic() + PAUSE
            return True

    def _trust(self, trust_id: str) -> delegations.Trust:
        """What is kept of it now: it may have been renewed, or be about to go.

        :raises base.TrustInvalid: nobody lends it any more
        """
        with self._database.read() as connection:
            trust = trusts.find(connection, trust_id)
        if trust is None or trust.removing:
            raise base.TrustInvalid(
                "the identity that was lent is given back; who lent it may lend it again"
            )
        return trust

    def _spoiled(self, trust: delegations.Trust) -> None:
        """A caller's is not tried again: the next call lends anew. An owner's may become good
        again, as when a user is enabled."""
        if trust.kind == "caller":
            now = time.time()
            self._database.transact(lambda connection: trusts.retire(connection, trust.id, now))
