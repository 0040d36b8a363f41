"""The sandbox seam: where user code runs.

Called by :mod:`funcflow.conductor.pools`; drivers are entry points of
``funcflow.sandboxes``. A driver starts *workers*; a worker serves one revision of one
function of one project from birth to death. Pooling, reuse and scaling belong to the
conductor; isolation, limits and clean-up belong to the driver.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from funcflow import delegations, errors, models

#: Called with each piece of output, from whichever thread reads it; must not block.
LogSink = Callable[[models.LogChunk], None]

#: (project, function, revision): workers are shared only within this.
Key = tuple[str, str, int]

#: Platform faults (retried by the conductor) and user faults (settled as failed).
Fault = Literal["sandbox_lost", "start_failed"]


class SandboxError(errors.FuncflowError):
    """The platform, not the user's code, failed; the conductor may retry.

    ``code`` is one of ``sandbox_lost`` (the worker died under the call for no reason of its
    own), ``worker_gone`` (it had ended before the call reached it), ``start_failed`` (it never
    came up), ``no_capacity`` (no room here now), ``cluster_full`` (no node of the cluster has
    room), ``cluster_quota_exceeded`` (the project's share of the cluster is used up),
    ``unavailable`` (what starts workers is away), ``unprotected`` (a protection is missing and the
    function is not trusted).
    """

    code, status = "sandbox_lost", 503


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSpec:
    """Everything a worker is made from."""

    revision: models.Revision
    #: ``python3`` or ``nodejs``: the last part of the runtime's image name, untagged.
    language: str
    #: False: refuse to start when a protection is missing.
    trusted: bool
    #: Folder with the unpacked package; read-only, shared, stays until the worker ends. None: the
    #: function is an image.
    package: Path | None
    #: Of the runtime, or the function's own.
    image: str = ""
    #: Secrets of its environment, by variable; in no log, no file, no API of a cluster.
    secrets: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One invocation, as the worker sees it."""

    execution_id: str
    #: Decoded: a dict becomes keyword arguments (or the event), any other value is
    #: one positional argument, None is no argument.
    input: Any
    function_name: str
    function_version: int
    request_id: str | None
    traceparent: str | None
    #: Seconds this run may take from now on.
    timeout: float
    #: Bytes of encoded result that are too many.
    result_limit: int = 262_144
    #: Bytes of log kept; the rest is dropped and the cut is marked.
    log_limit: int = 262_144
    #: What it may act as.
    delegation: delegations.Delegation | None = None
    #: Secrets it may ask the metadata service for, by name.
    secrets: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one run ended: ``value`` (JSON text) or ``error``, and what it used.

    Error types made by the platform: ``Timeout``, ``OutOfMemory``, ``ResultTooLarge``,
    ``ResultNotJSON``, ``ExitedEarly`` (the user's code ended its process), ``LoadError`` (the entry
    cannot be imported). All others are the user's own exception names.
    """

    value: str | None = None
    error: models.FunctionError | None = None
    cpu: float = 0.0
    memory_peak: int = 0
    run: float = 0.0


@runtime_checkable
class Worker(Protocol):
    """A live sandbox. All methods may be called from any thread."""

    id: str
    spec: WorkerSpec
    #: Seconds it took to come up.
    startup: float

    @property
    def alive(self) -> bool:
        """False once it ended or must not be used again."""

    def invoke(self, request: Request, sink: LogSink) -> Outcome:
        """Run once and wait for the end, at most ``request.timeout`` plus a grace.

        Never raises for what user code does. After ``Timeout``, ``OutOfMemory`` and
        ``ExitedEarly`` the worker is dead, with everything it started. A ``Timeout`` or a
        cancel lets other runs in the same worker finish first; no new ones are let in.

        :raises SandboxError: ``sandbox_lost``, ``worker_gone``
        """

    def cancel(self, execution_id: str) -> None:
        """Stop that run at once; its ``invoke`` returns an error ``Cancelled``."""

    def kill(self) -> None:
        """End it and all it started; returns when nothing of it is left. Idempotent."""


@dataclasses.dataclass(frozen=True, slots=True)
class Protection:
    """One wall of the sandbox and whether this machine can build it."""

    name: str
    present: bool
    detail: str = ""


@runtime_checkable
class Sandbox(Protocol):
    """A driver. Made by ``Driver(conf)`` at start-up, closed at the end."""

    languages: Sequence[str]
    #: Whether workers take this machine's memory.
    local: bool

    def start(self, spec: WorkerSpec) -> Worker:
        """A new worker, loaded and ready.

        A package whose entry cannot be loaded still gives a worker; its ``invoke``
        answers ``LoadError``, so that the user sees it in the execution.

        A worker that an earlier life of this conductor left of the same revision is taken over.

        :raises SandboxError: ``start_failed``, ``no_capacity``, ``cluster_full``,
            ``cluster_quota_exceeded``, ``unavailable``, ``unprotected``
        """

    def left(self) -> Sequence[Key]:
        """What an earlier life of this conductor left running, one entry per worker. May wait
        until that is known."""

    def room(self, language: str) -> tuple[int, int] | None:
        """(workers of the language there are or are prepared for, how many could start at once);
        None: as many as the conductor's bounds allow."""

    def protections(self) -> Sequence[Protection]:
        """Each protection and whether it holds here; shown by ``funcflow status``."""

    def sweep(self) -> int:
        """Remove what dead predecessors left (processes, cgroups, folders); how many."""

    def metrics(self) -> Mapping[str, float]:
        """Gauges to export, by name without prefix."""

    def part(self) -> None:
        """The conductor is about to stop: workers that are killed from now on may stay for its
        next life."""

    def close(self) -> None:
        """Kill every worker and release everything."""
