"""The one way in: from a request or an event to an execution.

Called by the API and by every trigger.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol

from funcflow import models


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What to run. ``function_id`` or ``function_alias`` is set, not both."""

    function_id: str | None = None
    function_alias: str | None = None
    function_version: int = models.LATEST
    #: JSON text, any other text, or None.
    input: str | None = None
    sync: bool = True
    description: str = ""
    idempotency_key: str | None = None
    #: Seconds a synchronous caller waits; None: the configured time.
    wait: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Submitted:
    """``execution`` as it is now; ``created`` False: the idempotency key was known.

    A synchronous call whose wait ended has a state that is not settled (202).
    """

    execution: models.Execution
    created: bool


class Submitter(Protocol):
    def submit(self, context: models.RequestContext, call: Call) -> Submitted:
        """Accept durably, and for a synchronous call wait for the outcome.

        :raises funcflow.errors.NotFound: no such function, version or alias in the project
        :raises funcflow.errors.TooMany: queues or conductors are full
        :raises funcflow.errors.Unavailable: it could not be made durable; nothing was kept
        :raises funcflow.errors.Conflict: the idempotency key came with another call
        """

    def cancel(self, context: models.RequestContext, execution_id: str) -> models.Execution:
        """Settle as cancelled, then stop the run.

        :raises funcflow.errors.Conflict: it is settled already
        """

    def redrive(self, context: models.RequestContext, execution_id: str) -> models.Execution:
        """Queue a dead execution again, with fresh attempts and a fresh age.

        :raises funcflow.errors.Conflict: it is not dead
        """
