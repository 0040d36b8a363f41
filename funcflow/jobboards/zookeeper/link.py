"""The connection to ZooKeeper and the session on it. Called by :mod:`.board`, :mod:`.batcher`.

A session counts once its own ephemeral node exists. Whatever changes claims checks that
node in the same multi, so a request that is delayed until after the session's end changes
nothing, however kazoo queues it.

Claims are good while the *lease* runs: the agreed session timeout counted from the moment
a request was sent that the server has answered. A process that was frozen finds its lease
over before it has heard of anything.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any, Protocol

from kazoo import exceptions as kazoo_errors
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.protocol.states import KazooState, KeeperState
from oslo_config import cfg

from funcflow import errors
from funcflow.jobboards.zookeeper import client as zookeeper_client
from funcflow.jobboards.zookeeper import layout as zookeeper_layout

LOG = logging.getLogger(__name__)

#: Seconds a call waits for the server at most.
PATIENCE = 4.0
#: What kazoo raises when the server cannot be reached or the session is gone.
AWAY = (
    kazoo_errors.ConnectionLoss,
    kazoo_errors.SessionExpiredError,
    kazoo_errors.ConnectionClosedError,
    kazoo_errors.AuthFailedError,
    KazooTimeoutError,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Session:
    """One life of a session: its node, the server's id for it, what to add to a czxid."""

    node: str
    id: int
    base: int


class Tenant(Protocol):
    """Whose session it is; called by the link's own thread."""

    def entered(self, session: Session) -> None:
        """A new session is up."""

    def tended(self, session: Session) -> None:
        """The session has answered just now; time for what was left undone."""

    def lost(self) -> None:
        """The session is gone."""


class Link:
    """Keeps a session up."""

    def __init__(
        self, conf: cfg.ConfigOpts, layout: zookeeper_layout.Layout, tenant: Tenant
    ) -> None:
        self.client = zookeeper_client.make(conf)
        #: A name for this link, whatever its sessions.
        self.name = uuid.uuid4().hex
        self._layout = layout
        self._tenant = tenant
        self._changed = threading.Condition()
        self._poked = threading.Event()
        self._session: Session | None = None
        self._entered = 0
        self._told = False
        self._trouble = ""
        self._lease_until = 0.0
        self._stopping = False
        self._timeout: float = conf.jobboard.session_timeout
        self._keeper = threading.Thread(target=self._run, name="board-session", daemon=True)

    def start(self) -> None:
        """Begin to connect; wait for it a few seconds at most."""
        self.client.add_listener(self._heard)
        self._keeper.start()
        with contextlib.suppress(errors.Unavailable):
            self.ready(time.monotonic() + PATIENCE)

    def stop(self) -> None:
        """Close the session, and with it everything ephemeral."""
        with self._changed:
            self._stopping = True
            self._session = None
            self._changed.notify_all()
        self._poked.set()
        self._keeper.join()
        self.client.stop()
        self.client.close()

    @property
    def connected(self) -> bool:
        return self._session is not None and bool(self.client.connected)

    def ready(self, deadline: float) -> Session:
        """The session, once connected.

        :raises errors.Unavailable: not until the deadline (monotonic clock)
        """
        session = self._session
        if session is not None and self.client.connected:
            return session
        with self._changed:
            while not (self._session is not None and self.client.connected):
                left = deadline - time.monotonic()
                if self._stopping or left <= 0:
                    raise errors.Unavailable(
                        f"ZooKeeper cannot be reached{self._trouble}", retry_after=1
                    )
                self._changed.wait(left)
            return self._session

    def is_current(self, session: Session) -> bool:
        """Whether it is the session we have, alive or not known to be dead."""
        return session is self._session

    def poke(self) -> None:
        """Have the session tended soon."""
        self._poked.set()

    def is_good(self, session: Session) -> bool:
        """Whether claims made in the session are still good, as far as known."""
        return session is self._session and time.monotonic() < self._lease_until

    def answered(self, session: Session, sent_at: float) -> None:
        """The server answered, in the session, a request sent at that time."""
        if session is self._session:
            self._lease_until = max(self._lease_until, sent_at + self._timeout)

    def lost(self, session: Session) -> None:
        """The session's node is gone though we are connected: join anew."""
        with self._changed:
            if session is self._session:
                self._session = None
        self._poked.set()

    def _heard(self, state: KazooState) -> None:
        """From kazoo's own thread: must not wait for ZooKeeper."""
        with self._changed:
            if state == KazooState.LOST:
                self._session = None
            self._changed.notify_all()
        self._poked.set()

    def _run(self) -> None:
        self.client.start_async()
        while not self._stopping:
            self._poked.wait(self._timeout / 4)
            self._poked.clear()
            if self._stopping:
                return
            try:
                self._tend()
                self._trouble = ""
            except Exception as exc:
                self._trouble = f": {type(exc).__name__}"
                if not isinstance(exc, AWAY):
                    LOG.exception("tending the session with ZooKeeper failed")
                if not self._poked.wait(0.2) and self.client.connected:
                    self._poked.set()

    def _tend(self) -> None:
        if self._session is None and self._told:
            self._told = False
            LOG.warning("the session with ZooKeeper is lost; its claims are void")
            self._tenant.lost()
        if self.client.client_state in (KeeperState.CLOSED, KeeperState.AUTH_FAILED):
            LOG.error("ZooKeeper refuses us (%s)", self.client.client_state)
            self._reconnect()
        elif self.client.connected:
            session = self._session or self._enter()
            if not self._told:
                self._tenant.entered(session)
                self._told = True
            if self._ping(session):
                self._tenant.tended(session)

    def _reconnect(self) -> None:
        """Start over with a new session; kazoo itself gives up after some errors."""
        self._poked.wait(0.5)
        self.client.stop()
        self.client.start_async()

    def _enter(self) -> Session:
        """Make the session's node and read the epoch's base."""
        client_id = self.client.client_id
        if client_id is None or client_id[0] == self._entered:
            # Its node was removed by hand: locks of before must go with their session.
            self._reconnect()
            raise kazoo_errors.SessionExpiredError
        for reply in [self.client.ensure_path_async(path) for path in self._layout.folders()]:
            self._wait(reply)
        with contextlib.suppress(kazoo_errors.NodeExistsError):
            start = str(time.time_ns()).encode()
            self._wait(self.client.create_async(self._layout.epoch, start))
        # A server that lags behind the leader might not have it yet.
        self._wait(self.client.sync_async(self._layout.epoch))
        base = int(self._wait(self.client.get_async(self._layout.epoch))[0])
        node = f"{self._layout.sessions}/{uuid.uuid4().hex}"
        sent_at = time.monotonic()
        self._wait(self.client.create_async(node, ephemeral=True))
        if self.client.client_id != client_id:
            raise kazoo_errors.SessionExpiredError
        self._timeout = self.client.negotiated_timeout
        session = Session(node, client_id[0], base)
        with self._changed:
            self._entered = client_id[0]
            self._session = session
            self._lease_until = sent_at + self._timeout
            self._changed.notify_all()
        return session

    def _ping(self, session: Session) -> bool:
        sent_at = time.monotonic()
        if self._wait(self.client.exists_async(session.node)) is None:
            self.lost(session)
            return False
        self.answered(session, sent_at)
        return True

    def _wait(self, reply: Any) -> Any:
        return reply.get(timeout=PATIENCE)


@contextlib.contextmanager
def away() -> Iterator[None]:
    """kazoo's errors as ours."""
    try:
        yield
    except AWAY as exc:
        raise errors.Unavailable("ZooKeeper cannot be reached", retry_after=1) from exc
    except kazoo_errors.KazooException as exc:
        raise errors.Unavailable(f"ZooKeeper answers {type(exc).__name__}") from exc
