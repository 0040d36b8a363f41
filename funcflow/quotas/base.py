"""The quotas seam: how much of each resource a project may use.

Called by :mod:`funcflow.deploy`, :mod:`funcflow.submit` and the conductor; drivers are entry
points of ``funcflow.quotas``. A driver only says what the limits are. They are kept where the
rows are written, under locks that all processes share, so that parallel requests never exceed
them (:mod:`funcflow.db.usage`, :mod:`funcflow.db.admission`, :mod:`funcflow.db.rates`).
"""

from __future__ import annotations

import dataclasses
import threading
import time
from typing import Any, Protocol, runtime_checkable

from oslo_config import cfg

from funcflow import errors, plugins

NONE = -1
#: Projects whose limits are remembered at most.
_MOST = 10_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Of one project; -1: no limit."""

    functions: int = NONE
    triggers: int = NONE
    #: Bytes of packages, of what functions and versions point to; equal ones count once.
    code_size: int = NONE
    #: Executions running at the same time.
    executions: int = NONE
    #: Bytes of memory limits of running executions together.
    memory: int = NONE
    #: Executions accepted in any 60 seconds.
    invocations_per_minute: int = NONE

    @property
    def of_runs(self) -> bool:
        """Whether anything limits what runs."""
        return self.executions >= 0 or self.memory >= 0


RESOURCES = tuple(field.name for field in dataclasses.fields(Limits))


class QuotaExceeded(errors.Forbidden):
    """There is as much as there may be."""

    code = "quota_exceeded"
    hint = "Delete what you do not need, or ask your operator for more."


class QuotaBusy(errors.TooMany):
    """As much happens now as may at a time."""

    code = "quota_busy"
    hint = "Wait for the time in Retry-After, or ask your operator for more."


@runtime_checkable
class Quotas(Protocol):
    """A driver. Made by ``Driver(conf, database)``."""

    #: Whether limits are changed through our API; else they are changed where they come from.
    writable: bool

    def __init__(self, conf: cfg.ConfigOpts, database: Any) -> None: ...

    def limits(self, project_id: str) -> Limits:
        """The limits of a project, as they are now.

        :raises funcflow.errors.Unavailable: nobody can say
        """


class Known:
    """A driver's answers, for a while: the warm path asks nobody. Thread-safe."""

    def __init__(self, driver: Quotas, age: float) -> None:
        self.driver = driver
        self._age = age
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Limits]] = {}

    def limits(self, project_id: str) -> Limits:
        """What the driver says, or said lately; while it cannot say, what it said last."""
        now = time.monotonic()
        known = self._known.get(project_id)
        if known is not None and now - known[0] < self._age:
            return known[1]
        try:
            limits = self.driver.limits(project_id)
        except errors.Unavailable:
            if known is None:
                raise
            limits = known[1]
        with self._lock:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[project_id] = (now, limits)
        return limits


def load(conf: cfg.ConfigOpts, database: Any) -> Known:
    """The configured driver, with a memory."""
    driver: Quotas = plugins.load("funcflow.quotas", conf.quotas.driver)(conf, database)
    return Known(driver, conf.quotas.cache_time)


def defaults(conf: cfg.ConfigOpts) -> Limits:
    """What a project may that nobody said anything of."""
    return Limits(**{name: conf.quotas[name] for name in RESOURCES})
