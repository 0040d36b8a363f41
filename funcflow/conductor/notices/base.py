"""What telling needs of a destination. Met by :mod:`.http`, :mod:`.zaqar` and :mod:`.messaging`."""

from __future__ import annotations

from typing import Protocol

from funcflow.events import Event
from funcflow.subscriptions import Notice, Subscription


class NotTold(Exception):
    """The destination did not take it.

    ``away``: nothing can be told there now, or not before ``after`` seconds; otherwise it is this
    one event that it does not take. ``gone``: nothing is wanted there, ever again.
    """

    def __init__(self, reason: str, *, away: bool, gone: bool = False, after: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason[:500]
        self.away = away
        self.gone = gone
        self.after = after


class Sender(Protocol):
    """One kind of destination; any thread may call."""

    def send(self, notice: Notice, event: Event, subscription: Subscription | None) -> None:
        """Tell; returns once the destination has it. ``subscription`` None: the operator's own.

        :raises NotTold: it has not
        """

    def close(self) -> None:
        """Let go of connections."""
