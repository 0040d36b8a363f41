"""Which locks are ours. Called by :mod:`.board`.

A ticket is reserved while its claim is under way, so two callers of one process never take
each other's lock for their own.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from funcflow.jobboards import base
from funcflow.jobboards.zookeeper import link as zookeeper_link


class Holds:
    """Thread-safe."""

    def __init__(self, link: zookeeper_link.Link) -> None:
        self._link = link
        self._lock = threading.Lock()
        #: By execution; None: reserved.
        self._claims: dict[str, base.Claim | None] = {}

    def reserve(self, tickets: Iterable[base.Ticket]) -> list[base.Ticket]:
        """Those that are neither held nor reserved yet; now they are."""
        free = []
        with self._lock:
            for ticket in tickets:
                if self._is_free(ticket.execution_id):
                    self._claims[ticket.execution_id] = None
                    free.append(ticket)
        return free

    def _is_free(self, execution_id: str) -> bool:
        if execution_id not in self._claims:
            return True
        claim = self._claims[execution_id]
        return claim is not None and not self._link.is_current(claim.handle)

    def won(self, claim: base.Claim) -> None:
        with self._lock:
            self._claims[claim.ticket.execution_id] = claim

    def forget(self, tickets: Iterable[base.Ticket]) -> None:
        """Not held, nor reserved, any more."""
        with self._lock:
            for ticket in tickets:
                self._claims.pop(ticket.execution_id, None)

    def has(self, claim: base.Claim) -> bool:
        """Whether the lock at the server is that of this very claim."""
        held = self._claims.get(claim.ticket.execution_id)
        return (
            held is not None and held.epoch == claim.epoch and self._link.is_current(claim.handle)
        )

    def knows(self, execution_id: str) -> bool:
        """Held or reserved."""
        return not self._is_free(execution_id)

    def void(self) -> None:
        """The session is gone; what is under way finds out by itself."""
        with self._lock:
            self._claims = {key: None for key, claim in self._claims.items() if claim is None}
