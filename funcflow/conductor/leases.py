"""Workers in the pool, who waits for one, and who has one for a run.

Used by :mod:`funcflow.conductor.pools` alone.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping, Sequence

from funcflow import packages
from funcflow.conductor.secrets import Mounted
from funcflow.sandboxes import base as sandbox_base


@dataclasses.dataclass(slots=True, eq=False)
class Slot:
    """A worker in the pool, and how many runs it has now."""

    key: sandbox_base.Key
    worker: sandbox_base.Worker
    package: packages.Lease | None
    memory: int
    concurrency: int
    #: Of the secrets in its environment.
    stamp: str = ""
    busy: int = 0
    idle_since: float = 0.0
    retired: bool = False
    ended: bool = False

    @property
    def usable(self) -> bool:
        return not self.retired and self.worker.alive


@dataclasses.dataclass(slots=True, eq=False)
class Waiter:
    """A call that waits for a worker of its revision, or for room to start one."""

    key: sandbox_base.Key
    stamp: str = ""
    wake: threading.Event = dataclasses.field(default_factory=threading.Event)
    slot: Slot | None = None


class WorkerLease:
    """See :class:`taskflow_flows.invocation.Lease`."""

    __slots__ = ("_back", "_done", "_slot", "cold", "hidden", "secrets", "startup", "worker")

    def __init__(
        self, back: Callable[[Slot], None], slot: Slot, mounted: Mounted, cold: bool
    ) -> None:
        """:param back: takes the slot back"""
        self._back, self._slot, self._done = back, slot, False
        self.secrets: Mapping[str, str] = mounted.metadata
        self.hidden: Sequence[str] = (*mounted.environment.values(), *mounted.metadata.values())
        self.worker = slot.worker
        self.cold = cold
        self.startup = slot.worker.startup if cold else 0.0

    def give_back(self) -> None:
        if not self._done:
            self._done = True
            self._back(self._slot)

    def discard(self) -> None:
        if not self._done:
            self._done = True
            self._slot.retired = True
            self._back(self._slot)
