"""What the tasks of an invocation work on, and the parts they are handed.

The conductor implements the protocols; tasks know nothing else of it.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping, Sequence
from typing import Protocol

from funcflow import delegations, models
from funcflow.sandboxes import base as sandbox_base


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A revision with what a worker of it needs besides."""

    revision: models.Revision
    function_name: str
    language: str
    trusted: bool
    #: Of the runtime, or the function's own.
    image: str = ""
    #: Of this revision on one conductor; None: as many as there is room for.
    max_workers: int | None = None


class Lease(Protocol):
    """A worker that is ours for one run. Exactly one of the two ends it."""

    worker: sandbox_base.Worker
    #: Whether it was started for this run, and the seconds that took.
    cold: bool
    startup: float
    #: What the run may ask the metadata service for, by name.
    secrets: Mapping[str, str]
    #: What must not be seen in what the run prints and raises.
    hidden: Sequence[str]

    def give_back(self) -> None:
        """The run ended; somebody else may use the worker if it still lives."""

    def discard(self) -> None:
        """The worker is not to be used again; it is killed."""


class Catalog(Protocol):
    def definition(self, function_id: str, revision: int) -> Definition:
        """Immutable, so cached without limit in time.

        :raises funcflow.errors.NotFound: the revision is gone
        """


class Pools(Protocol):
    def acquire(
        self, definition: Definition, timeout: float, project_id: str | None = None
    ) -> Lease:
        """A worker of the revision, warm if there is one. ``project_id``: who calls, when it is
        not the function's own project; workers never serve two of them.

        :raises funcflow.sandboxes.base.SandboxError: none came up, or no room in time
        :raises funcflow.errors.FuncflowError: ``secret_unavailable``
        """


class Ledger(Protocol):
    def settle(self, invocation: Invocation, outcome: sandbox_base.Outcome) -> models.Execution:
        """Write the outcome, fenced, and return the execution as it now is.

        :raises Fenced: a newer claim, or a cancel, was first
        """


class Logs(Protocol):
    def add(self, chunk: models.LogChunk) -> None:
        """Keep a piece of output; called from any thread, does not block."""

    def rest(self) -> tuple[models.LogChunk, ...]:
        """Close it and return what was not written to the database on the way."""


class Trusts(Protocol):
    def token(
        self, trust_id: str, lasting: float = 0.0, *, fresh: bool = False
    ) -> delegations.Delegation:
        """A token of the trust that lives ``lasting`` seconds. ``fresh``: the last was refused.

        :raises funcflow.trusts.base.TrustInvalid: nobody lends it any more
        :raises funcflow.errors.Unavailable: nobody can say
        """


class Fenced(Exception):
    """The row no longer belongs to this claim; whatever it holds is the truth."""


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    result: int
    log: int
    #: Seconds to wait for a worker.
    acquire: float


@dataclasses.dataclass(slots=True, eq=False)
class Invocation:
    """One attempt at one execution, and how far it got."""

    execution: models.Execution
    catalog: Catalog
    pools: Pools
    ledger: Ledger
    logs: Logs
    limits: Limits
    #: None: nothing can be lent here.
    trusts: Trusts | None = None
    #: What it acts as, once that is borrowed.
    delegation: delegations.Delegation | None = dataclasses.field(default=None, repr=False)
    cancelled: threading.Event = dataclasses.field(default_factory=threading.Event)
    lease: Lease | None = None
    #: User code may have run.
    began: bool = False

    def cancel(self) -> None:
        """Stop it: before the run nothing starts, during the run the worker is stopped."""
        self.cancelled.set()
        lease = self.lease
        if lease is not None:
            lease.worker.cancel(self.execution.id)
