"""What conductors know about functions: cached, because revisions never change."""

from __future__ import annotations

import collections
import dataclasses
import threading

from funcflow import errors, images
from funcflow.db import executions, functions, revisions, runtimes, scaling
from funcflow.db.engine import Database
from funcflow.quotas import base as quotas
from taskflow_flows import invocation as inv

SIZE = 4096


@dataclasses.dataclass(frozen=True, slots=True)
class Bounds:
    """What may run at the same time, as :class:`funcflow.db.executions.Start` takes it."""

    limit: int | None = None
    runs: int | None = None
    memory: int | None = None


FREE = Bounds()


class Catalog:
    """See :class:`taskflow_flows.invocation.Catalog`."""

    def __init__(self, database: Database, quotas: quotas.Known | None = None) -> None:
        """:param quotas: None: projects run as much as there is room for"""
        self._database = database
        self._quotas = quotas
        self._lock = threading.Lock()
        self._definitions: collections.OrderedDict[tuple[str, int], inv.Definition] = (
            collections.OrderedDict()
        )
        self._limits: dict[str, int | None] = {}

    def definition(self, function_id: str, revision: int) -> inv.Definition:
        key = (function_id, revision)
        with self._lock:
            known = self._definitions.get(key)
            if known is not None:
                self._definitions.move_to_end(key)
                return known
        made = self._load(function_id, revision)
        with self._lock:
            self._definitions[key] = made
            while len(self._definitions) > SIZE:
                self._definitions.popitem(last=False)
        return made

    def bounds(self, function_id: str, project_id: str) -> Bounds:
        """What bounds a run of the function for the project, as it is now.

        :raises funcflow.errors.Unavailable: nobody can say
        """
        limit = self.max_concurrency(function_id)
        if self._quotas is None:
            return FREE if limit is None else Bounds(limit)
        limits = self._quotas.limits(project_id)
        if limit is None and not limits.of_runs:
            return FREE
        return Bounds(limit, _maybe(limits.executions), _maybe(limits.memory))

    def calls_a_minute(self, project_id: str) -> int:
        """How many the project may make; -1: any.

        :raises funcflow.errors.Unavailable: nobody can say
        """
        return (
            -1 if self._quotas is None else self._quotas.limits(project_id).invocations_per_minute
        )

    def max_concurrency(self, function_id: str) -> int | None:
        """The limit of the function as it is now; None also for a deleted one."""
        with self._lock:
            if function_id in self._limits:
                return self._limits[function_id]
        with self._database.read() as conn:
            limit = functions.max_concurrency(conn, function_id)
        with self._lock:
            if len(self._limits) >= SIZE:
                self._limits.clear()
            self._limits[function_id] = limit
        return limit

    def forget(self) -> None:
        """Functions or runtimes changed somewhere."""
        with self._lock:
            self._limits.clear()
            self._definitions.clear()

    def _load(self, function_id: str, number: int) -> inv.Definition:
        with self._database.read() as conn:
            revision = revisions.get(conn, function_id, number)
            name = functions.name(conn, function_id)
            runtime = runtimes.get(conn, revision.runtime_id) if revision.runtime_id else None
            rules = scaling.get(conn, function_id)
        return inv.Definition(
            revision=revision,
            function_name=name or function_id,
            language=runtime.language if runtime else "image",
            # Whether users' own images are trusted is for the sandbox to say.
            trusted=runtime.trusted if runtime else True,
            image=runtime.image if runtime else images.name(revision.code),
            max_workers=rules.max_workers,
        )


def _maybe(limit: int) -> int | None:
    return None if limit < 0 else limit


def busy(full: executions.Full | None) -> errors.TooMany:
    """Why a call may not run now."""
    if full is None:  # cancelled between being written and being started
        return errors.TooMany("the call was cancelled", retry_after=1.0)
    if full.what == "function":
        return errors.TooMany(
            f"the function runs {full.limit} times already, as often as it may", retry_after=1.0
        )
    told = {
        "executions": f"{full.limit} executions of the project run already",
        "memory": f"what the project runs has the {full.limit} bytes of memory it may have",
    }
    return quotas.QuotaBusy(told[full.what], retry_after=1.0)
