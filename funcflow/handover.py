"""How a synchronous call reaches a conductor.

:class:`Handover` is what :mod:`funcflow.submit` calls. In process the conductor itself meets
it; spread out, :mod:`funcflow.peers` does, over authenticated connections.
"""

from __future__ import annotations

from typing import Protocol

from funcflow import errors, models


class Full(errors.TooMany):
    """This conductor has no room; another may have."""

    code = "conductor_full"


class Leaving(errors.Unavailable):
    """This conductor takes nothing new any more; another one does, or will soon."""

    code = "conductor_leaving"


class Handover(Protocol):
    def run(self, execution: models.Execution, wait: float) -> models.Execution | None:
        """Make durable, claim and run, and wait for the outcome at most ``wait`` seconds.

        Returns the execution as it is then; one with another id when the idempotency key
        was known; None when the conductor was lost on the way: the row tells.

        :raises funcflow.errors.TooMany: every conductor is full; nothing was kept
        :raises funcflow.errors.Unavailable: it could not be made durable; nothing was kept
        """

    def start_composition(
        self, execution: models.CompositionExecution, wait: float
    ) -> models.CompositionExecution | None:
        """Make durable, hold and go on with it, and wait at most ``wait`` seconds for its end.

        Returns the execution as it is then: ended, or parked; one with another id when the
        composition has one of that name; None when the wait ended, or the conductor was lost on
        the way: the row tells. Errors as those of :meth:`run`.
        """

    def nudge(self, execution_id: str, owner: str | None = None) -> None:
        """Something was put into the inbox of a composition's execution, which ``owner`` holds.

        None: nobody does; then a conductor takes it out of turn if it is to be stopped, or if
        there is room. Best effort: the inbox is the truth, and a nudge saves a moment.
        """
