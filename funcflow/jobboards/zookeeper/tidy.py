"""Takes back locks that nobody counts on. Called by :mod:`.board` and :mod:`.batcher`.

A claim that was given up because the server did not answer may have come about all the
same, and a release may not have: then the lock would stay as long as the session lives.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from kazoo import exceptions as kazoo_errors

from funcflow.jobboards import base
from funcflow.jobboards.zookeeper import holds as zookeeper_holds
from funcflow.jobboards.zookeeper import link as zookeeper_link
from funcflow.jobboards.zookeeper import multi as zookeeper_multi
from funcflow.jobboards.zookeeper import steps


class Tidy:
    """Thread-safe; ``up`` runs in the link's thread while the server answers."""

    def __init__(self, link: zookeeper_link.Link, holds: zookeeper_holds.Holds) -> None:
        self._link = link
        self._holds = holds
        self._lock = threading.Lock()
        #: Locks that may be ours though nobody holds them, with the session they are of.
        self._doubtful: list[tuple[str, base.Ticket, zookeeper_link.Session | None]] = []

    def abandoned(self, claims: list[steps.Step]) -> None:
        """Claims that were given up."""
        for step in claims:
            self._add(zip(step.locks, step.tickets, strict=True), step.session)

    def unreleased(self, step: steps.Step) -> None:
        """A release that was given up. The claim is no longer held in any case."""
        self._holds.forget(step.tickets)
        self._add([(step.path + steps.LOCK, step.tickets[0])], step.session)

    def _add(
        self,
        locks: Iterable[tuple[str, base.Ticket]],
        session: zookeeper_link.Session | None,
    ) -> None:
        with self._lock:
            self._doubtful += [(lock, ticket, session) for lock, ticket in locks]

    def up(self, session: zookeeper_link.Session) -> None:
        """Remove the doubtful locks of the session."""
        with self._lock:
            doubtful, self._doubtful = self._doubtful, []
        for at, (lock, ticket, made_in) in enumerate(doubtful):
            if made_in is not session or not self._holds.reserve([ticket]):
                continue
            try:
                self._remove(lock, session)
            except zookeeper_link.AWAY:
                with self._lock:
                    self._doubtful += doubtful[at:]
                raise
            finally:
                self._holds.forget([ticket])

    def _remove(self, lock: str, session: zookeeper_link.Session) -> None:
        client = self._link.client
        try:
            # What was sent before this is done or dropped once sync has answered.
            client.sync_async(lock).get(timeout=zookeeper_link.PATIENCE)
            _, stat = client.get_async(lock).get(timeout=zookeeper_link.PATIENCE)
            if stat.ephemeralOwner == session.id:
                removal = zookeeper_multi.Multi(client)
                removal.check(session.node)
                removal.delete(lock)
                removal.commit_async().get(timeout=zookeeper_link.PATIENCE)
        except kazoo_errors.NoNodeError:
            return
