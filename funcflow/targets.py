"""What a call means: from a name, a version or an alias to a revision.

Used by :mod:`funcflow.submit`; compositions have :mod:`funcflow.composition_targets`. Answers
are remembered until somebody announces a change, so that the warm path asks the database
nothing.
"""

from __future__ import annotations

import dataclasses
import random
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

from funcflow import delegations, errors, models, sharing
from funcflow.db import aliases, functions, shares, versions
from funcflow.db.engine import Database

T = TypeVar("T")
MOST = 10_000


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """A function's revision, and the version number it was found under."""

    function_id: str
    version: int
    revision: int
    #: As whom it acts, and whose it is.
    identity: delegations.Identity | None = None
    project_id: str = ""


class Memory:
    """Answers of the database, for a while. Thread-safe."""

    def __init__(self, database: Database, age: float) -> None:
        self._database = database
        self._age = age
        self._lock = threading.Lock()
        self._known: dict[Hashable, tuple[float, Any]] = {}
        self._generation = 0

    def forget(self) -> None:
        """Something changed somewhere."""
        with self._lock:
            self._generation += 1
            self._known.clear()

    def remember(self, key: Hashable, load: Callable[[], T]) -> T:
        """What ``load`` gives, or gave lately."""
        now = time.monotonic()
        with self._lock:
            known = self._known.get(key)
            if known is not None and now - known[0] < self._age:
                value: T = known[1]
                return value
            generation = self._generation
        loaded = load()
        with self._lock:
            # What was read before a change was announced must not outlive the announcement.
            if generation == self._generation:
                if len(self._known) >= MOST:
                    self._known.clear()
                self._known[key] = (now, loaded)
        return loaded


class Targets(Memory):
    """Functions."""

    def resolve(
        self,
        context: models.RequestContext,
        function: str | None,
        version: int,
        alias: str | None,
    ) -> Target:
        """The revision to run.

        :param function: id or name; ignored when ``alias`` is given
        :param alias: name, or ``FUNCTION_ID:NAME``, as shared aliases are called
        :raises funcflow.errors.NotFound: nothing of that name in the project, or shared with it
        :raises funcflow.errors.Forbidden: it is shared, but not to execute this
        """
        if alias is not None:
            return self._by_alias(context, *sharing.split_alias(alias))
        if function is None:
            raise errors.BadRequest(
                "function_id or function_alias is missing",
                hint="Say which function to run, by id, name or alias.",
            )
        known = self._function(context.project_id, function)
        self._check(context, known, version, None)
        if version == models.LATEST:
            return _target(models.LATEST, known.revision)
        return self._version(known.id, version)

    def check(self, context: models.RequestContext, execution: models.Execution) -> None:
        """Whether its project may still run what the execution runs.

        :raises funcflow.errors.Forbidden: it was shared once, and is no longer
        """
        try:
            known = self._function(context.project_id, execution.function_id)
        except errors.NotFound:
            return  # Deleted meanwhile: what was accepted runs to its end.
        if context.is_admin or known.project_id == execution.project_id:
            return
        with self._database.read() as conn:
            check_still(conn, "function", known.id, execution.project_id)

    def _by_alias(
        self, context: models.RequestContext, function_id: str | None, name: str
    ) -> Target:
        project_id = context.project_id
        if function_id is not None:
            function = self._function(project_id, function_id)
            self._check(context, function, models.LATEST, name)
            project_id = function.project_id
        found = self._alias(project_id, name)
        if function_id not in (None, found.function_id):
            raise errors.NotFound(f"function {function_id} has no alias {name!r}")
        version = split(found.weights, found.function_version, random.random())
        return self._version(found.function_id, version)

    def _check(
        self,
        context: models.RequestContext,
        function: models.Function,
        version: int,
        alias: str | None,
    ) -> None:
        """Of another project's function, whether it is shared to be executed: asked anew each
        time, so that taking a share back acts at once."""
        if context.is_admin or function.project_id == context.project_id:
            return
        with self._database.read() as conn:
            access = sharing.of(conn, context, "function", function)
        access.check("execute", version=version, alias=alias)

    def _alias(self, project_id: str, name: str) -> models.Alias:
        def load() -> models.Alias:
            with self._database.read() as conn:
                return aliases.get(conn, name, project_id)

        return self.remember(("alias", project_id, name), load)

    def _function(self, own_project: str, ref: str) -> models.Function:
        """By a name in the own project, or by id, whosever it is."""

        def load() -> models.Function:
            with self._database.read() as conn:
                return functions.resolve(conn, ref, None, own_project)

        return self.remember(("function", own_project, ref), load)

    def _version(self, function_id: str, number: int) -> Target:
        def load() -> Target:
            with self._database.read() as conn:
                if number == models.LATEST:
                    function = functions.get(conn, function_id, None)
                    return _target(number, function.revision)
                version = versions.get(conn, function_id, number, None)
            return _target(number, version.revision)

        return self.remember(("version", function_id, number), load)


def check_still(
    connection: Any, kind: models.ResourceKind, resource_id: str, project_id: str
) -> None:
    """Another project's function or composition may still be executed.

    :raises sharing.NotShared: it was shared once, and is no longer
    """
    if not shares.still_executable(connection, kind, resource_id, project_id, time.time()):
        raise sharing.NotShared(f"{kind} {resource_id} is no longer shared")


def _target(version: int, revision: models.Revision) -> Target:
    return Target(
        revision.function_id, version, revision.number, revision.identity, revision.project_id
    )


def split(weights: Mapping[int, float], main: int, point: float) -> int:
    """The version that a call gets at ``point`` (0 ≤ point < 1) of an alias's traffic."""
    for version, weight in sorted(weights.items()):
        if point < weight:
            return version
        point -= weight
    return main
