"""How many workers a function has; part of :mod:`funcflow.models`, which everybody else uses."""

from __future__ import annotations

import dataclasses

#: The version number that means "whatever the function is now".
LATEST = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Provision:
    """Workers kept warm, always or at certain hours of certain days."""

    workers: int
    #: ``LATEST``, or the version they are of.
    version: int = LATEST
    #: Minutes since midnight, local time; None: the whole day. An earlier end is on the next day.
    start: int | None = None
    end: int | None = None
    #: Of the start: 0 is Monday.
    days: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    timezone: str = "UTC"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """How many workers a function has."""

    #: Of ``latest``, kept warm at any time.
    min_workers: int = 0
    #: Of one revision, on one conductor; None: as many as there is room for.
    max_workers: int | None = None
    provisioned: tuple[Provision, ...] = ()
