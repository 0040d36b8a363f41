"""The trigger seam: what sets a function off besides a request.

Called by the events process; drivers are entry points of ``funcflow.triggers``. Every trigger
goes through the same submit path; it holds no state but its cursor.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import Protocol, runtime_checkable


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. ``source`` and ``id`` together name it once and for all:
    the same event delivered twice makes one execution."""

    source: str
    id: str
    target: str
    input: str | None = None


#: Returns once the event is durable (an execution's id); only then acknowledge it.
Submit = Callable[[Event], str]


@runtime_checkable
class Trigger(Protocol):
    def serve(self, submit: Submit, stop: threading.Event) -> None:
        """Deliver events until ``stop`` is set. An event whose ``submit`` raised is
        delivered again."""
