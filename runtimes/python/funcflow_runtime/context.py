"""What a function learns about its run, and which run a piece of code belongs to."""

from __future__ import annotations

import contextvars
import time
from typing import Any

#: Id of the run the current thread or task works for; None between runs.
current_run: contextvars.ContextVar[str | None] = contextvars.ContextVar("run", default=None)


class Context:
    """Facts about one run, all read-only by convention."""

    __slots__ = (
        "deadline",
        "execution_id",
        "function",
        "memory_limit",
        "project",
        "request_id",
        "traceparent",
        "version",
    )

    def __init__(self, fields: dict[str, Any], memory_limit: int) -> None:
        self.request_id: str | None = fields.get("request_id")
        self.execution_id: str = fields["execution_id"]
        self.function: str = fields["function"]
        self.version: int = fields["version"]
        self.project: str = fields["project"]
        self.traceparent: str | None = fields.get("traceparent")
        #: Seconds since the epoch at which the run is stopped.
        self.deadline: float = fields["deadline"]
        #: Bytes.
        self.memory_limit = memory_limit

    def remaining_time(self) -> float:
        """Seconds until the run is stopped; never negative."""
        return max(0.0, self.deadline - time.time())

    def remaining_time_ms(self) -> int:
        """The same in whole milliseconds."""
        return int(self.remaining_time() * 1000)
