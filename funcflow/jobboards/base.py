"""The jobboard seam: who may do what is waiting.

Called by :mod:`funcflow.submit` (post), :mod:`funcflow.conductor` (claim, consume) and the
sweeper. Drivers are entry points of ``funcflow.jobboards``, each with a TaskFlow
board of its own behind it (entry points of ``taskflow.jobboards``).

The row in the database is the truth; a job is only the claim on doing it. A job carries
ids, never payloads. Its name is made from its ticket, so posting twice leaves one job.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, Literal, Protocol, runtime_checkable


@dataclasses.dataclass(frozen=True, slots=True)
class Ticket:
    """What a job says: whose work it is. Ids only.

    ``function_id`` is a composition's id where ``kind`` says so.
    """

    execution_id: str
    project_id: str
    function_id: str
    kind: Literal["function", "composition"] = "function"


@dataclasses.dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a ticket, while the session that made it lives."""

    ticket: Ticket
    #: Fencing token; a later claim of the same ticket has a greater one.
    epoch: int
    #: The member that holds it.
    owner: str
    #: The driver's own handle.
    handle: Any = None


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """A conductor incarnation: its unique name, and where to reach it."""

    name: str
    #: ``host:port`` of its hand-over endpoint; None: it only drains the board.
    address: str | None = None
    #: Runs it has room for altogether.
    capacity: int = 0


class Listener:
    """What a board tells its user; called from board threads, must not block."""

    def on_jobs(self) -> None:
        """There may be something new to claim."""

    def on_members(self) -> None:
        """A conductor came or went."""

    def on_session(self, alive: bool) -> None:
        """False: every claim made so far is void. True: a new session is up."""

    def on_announce(self, topic: str) -> None:
        """Somebody called ``announce(topic)``; caches about it are stale."""


@runtime_checkable
class Board(Protocol):
    """A connected jobboard. All methods may be called from any thread.

    Methods that talk to the server raise :class:`funcflow.errors.Unavailable` when it
    cannot be reached or the session is gone; after ``post`` raised it, the job may or
    may not be there. Concurrent small calls are batched by the driver.
    """

    #: Number of shards; the jobs of a function, or of a composition, are all on one.
    shards: int

    def start(self, listener: Listener, *, serve: bool) -> None:
        """Connect. ``serve`` False: a poster, which never lists jobs.

        Keeps trying to connect in the background; reconnects by itself and, after a lost
        session, joins again. Returns once connected or after a few seconds.
        """

    def stop(self) -> None:
        """Release every claim still held, leave, disconnect."""

    @property
    def connected(self) -> bool:
        """Whether the server can be reached now and the session lives."""

    def shard_of(self, function_id: str) -> int:
        """The shard a function's, or a composition's, jobs are on."""

    def post(self, tickets: Sequence[Ticket]) -> None:
        """Durable once it returns. A ticket that is already posted is left as it is."""

    def post_claimed(self, tickets: Sequence[Ticket]) -> list[Claim]:
        """Post and claim in one step, all or nothing.

        :raises funcflow.errors.Conflict: one of them is already posted
        """

    def waiting(self, shards: Iterable[int] | None = None) -> list[Ticket]:
        """Unclaimed jobs as far as known here, oldest first; no round trip for
        watched shards. None: the shards this member watches (its own)."""

    def own_shards(self) -> list[int]:
        """Shards whose jobs this member claims first (rendezvous over the members)."""

    def claim(self, tickets: Sequence[Ticket]) -> list[Claim]:
        """Claim what is still free; returns those won."""

    def holds(self, claim: Claim) -> bool:
        """Whether the claim is still good as far as known here; no round trip.

        False as soon as the session that made it is suspected dead.
        """

    def consume(self, claims: Sequence[Claim]) -> None:
        """Remove jobs and claims. Already removed ones, and ones another member has
        claimed since, are left alone."""

    def release(self, claims: Sequence[Claim]) -> None:
        """Give claims back; the jobs can be claimed again at once."""

    def discard(self, tickets: Sequence[Ticket]) -> None:
        """Remove jobs that nobody has claimed; others are left alone."""

    def posted(self, shard: int) -> set[str]:
        """Execution ids of all jobs on the shard, claimed or not; asks the server."""

    def depth(self, shard: int | None = None) -> int:
        """Jobs on the shard (all shards) that wait to be claimed, as far as known here.

        Elsewhere than on watched shards, and for posters, a count at most half a second old
        plus what was posted from here since; claimed jobs may be in it. No round trip for the
        caller.
        """

    def join(self, member: Member) -> None:
        """Be a conductor that others see, until ``stop``."""

    def members(self) -> tuple[Member, ...]:
        """The live conductors as far as known here, sorted by name; no round trip."""

    def announce(self, topic: str) -> None:
        """Call ``on_announce(topic)`` at everybody connected, oneself included."""
