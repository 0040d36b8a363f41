"""Who else is at the board, and what they announce. Called by :mod:`.board`."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any

from kazoo import exceptions as kazoo_errors

from funcflow.jobboards import base
from funcflow.jobboards.zookeeper import layout as zookeeper_layout
from funcflow.jobboards.zookeeper import link as zookeeper_link

LOG = logging.getLogger(__name__)

#: Announcements kept for those that are cut off for a moment.
KEPT = 256
NOTHING = -1


class Crowd:
    """Members and announcements, as far as known here."""

    def __init__(
        self,
        link: zookeeper_link.Link,
        layout: zookeeper_layout.Layout,
        on_members: Callable[[], None],
    ) -> None:
        self.on_announce: Callable[[str], None] = lambda topic: None
        self.members: tuple[base.Member, ...] = ()
        self._link = link
        self._layout = layout
        self._on_members = on_members
        self._lock = threading.Lock()
        self._me: base.Member | None = None
        self._shown_in: zookeeper_link.Session | None = None
        #: Number of the last announcement; what was there before us is not for us.
        self._heard = NOTHING
        self.listening = threading.Event()

    @property
    def me(self) -> base.Member | None:
        return self._me

    def join(self, member: base.Member) -> None:
        """Show the member from now on, in every session; at once if there is one."""
        with self._lock:
            self._me = member
            self._shown_in = None
        self._link.poke()

    def show(self, session: zookeeper_link.Session) -> None:
        """Make the member's node, if the session has not. Made anew, not changed, so that
        the folder changes and everybody looks."""
        with self._lock:
            if self._me is None or self._shown_in is session:
                return
            path = f"{self._layout.members}/{self._me.name}"
            client = self._link.client
            with contextlib.suppress(kazoo_errors.NoNodeError):
                self._wait(client.delete_async(path))
            data = zookeeper_layout.member_data(self._me)
            self._wait(client.create_async(path, data, ephemeral=True))
            self._shown_in = session

    def members_listed(self, names: list[str]) -> None:
        client = self._link.client
        replies = [(name, client.get_async(f"{self._layout.members}/{name}")) for name in names]
        members = []
        for name, reply in sorted(replies, key=lambda item: item[0]):
            with contextlib.suppress(kazoo_errors.NoNodeError):
                members.append(zookeeper_layout.member_from(name, self._wait(reply)[0]))
        if tuple(members) != self.members:
            self.members = tuple(members)
            self._on_members()

    def announce(self, topic: str) -> None:
        prefix = zookeeper_layout.announcement_prefix(topic)
        path = f"{self._layout.announce}/{prefix}"
        self._wait(self._link.client.create_async(path, sequence=True))

    def announcements_listed(self, names: list[str]) -> None:
        news = sorted(zookeeper_layout.announced(name) for name in names)
        first, self._heard = self._heard, news[-1][0] if news else self._heard
        for name in self._oldest(names):
            self._link.client.delete_async(f"{self._layout.announce}/{name}")
        for number, topic in news:
            if self.listening.is_set() and number > first:
                self.on_announce(topic)
        self.listening.set()

    def _oldest(self, names: list[str]) -> list[str]:
        """Those to remove; only one member does it, or everybody would."""
        if len(names) <= KEPT or (self.members and self.members[0] != self._me):
            return []
        return sorted(names, key=zookeeper_layout.announced)[: len(names) - KEPT]

    def _wait(self, reply: Any) -> Any:
        return reply.get(timeout=zookeeper_link.PATIENCE)
