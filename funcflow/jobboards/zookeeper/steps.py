"""What each board operation asks of ZooKeeper for one ticket. Run by :mod:`.batcher`.

A step is all or nothing by itself; many of them share a multi. When a multi is refused the
step at fault decides what that means, and the rest is sent again.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence

from kazoo import exceptions as kazoo_errors

from funcflow import errors
from funcflow.jobboards import base
from funcflow.jobboards.zookeeper import layout as zookeeper_layout
from funcflow.jobboards.zookeeper.link import Session
from funcflow.jobboards.zookeeper.multi import Multi

LOCK = zookeeper_layout.LOCK


class Step(abc.ABC):
    """``error`` and, for claims, ``czxid`` are its outcome once it was run."""

    #: Whether it is void when the session changes before it was done.
    bound = False
    #: Locks that it creates, one per ticket; their czxid makes the epoch.
    locks: Sequence[str] = ()
    tickets: Sequence[base.Ticket] = ()
    owner = b""
    #: Number of operations it puts into a multi.
    size = 1

    def __init__(self, path: str) -> None:
        self.path = path
        #: An earlier try may have been done without us hearing of it.
        self.in_doubt = False
        #: What it is bound to; None: whichever it is first sent in.
        self.session: Session | None = None
        self.error: Exception | None = None
        self.czxid: int | None = None

    @abc.abstractmethod
    def write(self, multi: Multi) -> None:
        """Add the operations."""

    def stamp(self, multi: Multi) -> None:
        """Add a write to the lock just created, whose stat tells the zxid of the multi: the
        czxid of every node the multi creates."""
        multi.set_data(self.locks[0], self.owner)

    def refused(self, error: Exception) -> None:
        """One of the operations failed: set ``error``, or nothing when that is fine."""
        self.error = error


class Post(Step):
    """Create the job; one that is there already is left as it is."""

    def __init__(self, path: str, ticket: base.Ticket) -> None:
        super().__init__(path)
        self._data = zookeeper_layout.posting(ticket)

    def write(self, multi: Multi) -> None:
        multi.create(self.path, self._data)

    def refused(self, error: Exception) -> None:
        if not isinstance(error, kazoo_errors.NodeExistsError):
            self.error = error


class PostClaimed(Step):
    """Create jobs and their locks, all of them or none."""

    bound = True

    def __init__(self, paths: Sequence[str], tickets: Sequence[base.Ticket], owner: bytes) -> None:
        super().__init__(paths[0])
        self._paths = paths
        self.tickets = tickets
        self.owner = owner
        self.locks = [path + LOCK for path in paths]
        self.size = 2 * len(paths)

    def write(self, multi: Multi) -> None:
        for path, lock, ticket in zip(self._paths, self.locks, self.tickets, strict=True):
            multi.create(path, zookeeper_layout.posting(ticket))
            multi.create(lock, self.owner, ephemeral=True)

    def refused(self, error: Exception) -> None:
        if isinstance(error, kazoo_errors.NodeExistsError):
            self.error = errors.Conflict("the execution is already posted")
        else:
            self.error = error


class Claim(Step):
    """Lock a job that is there; ``czxid`` stays None when another was first."""

    bound = True
    size = 2

    def __init__(self, path: str, ticket: base.Ticket, owner: bytes) -> None:
        super().__init__(path)
        self.tickets = [ticket]
        self.owner = owner
        self.locks = [path + LOCK]

    def write(self, multi: Multi) -> None:
        multi.check(self.path)
        multi.create(self.path + LOCK, self.owner, ephemeral=True)

    def refused(self, error: Exception) -> None:
        if not isinstance(error, kazoo_errors.NodeExistsError | kazoo_errors.NoNodeError):
            self.error = error


class _Held(Step):
    """About a job that we hold; that the session lives proves that we still do."""

    bound = True

    def __init__(self, path: str, claim: base.Claim) -> None:
        super().__init__(path)
        self.tickets = [claim.ticket]
        self.session = claim.handle

    def refused(self, error: Exception) -> None:
        if not isinstance(error, kazoo_errors.NoNodeError):
            self.error = error


class Consume(_Held):
    """Remove the job and its lock."""

    size = 2

    def write(self, multi: Multi) -> None:
        multi.delete(self.path + LOCK)
        multi.delete(self.path)


class Release(_Held):
    """Remove the lock."""

    def write(self, multi: Multi) -> None:
        multi.delete(self.path + LOCK)


class Discard(Step):
    """Remove a job that nobody holds: locking it fails otherwise."""

    size = 3

    def __init__(self, path: str, ticket: base.Ticket) -> None:
        super().__init__(path)
        self.tickets = [ticket]

    def write(self, multi: Multi) -> None:
        multi.create(self.path + LOCK, b"{}", ephemeral=True)
        multi.delete(self.path + LOCK)
        multi.delete(self.path)

    def refused(self, error: Exception) -> None:
        if not isinstance(error, kazoo_errors.NodeExistsError | kazoo_errors.NoNodeError):
            self.error = error
