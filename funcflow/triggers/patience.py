"""Delivering what a server holds for us, until it is durable.

Used by the sources that have a server: they acknowledge an event there only after
:meth:`Patience.deliver` said that it is dealt with.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from funcflow import errors
from funcflow.events import Event
from funcflow.triggers import base

LOG = logging.getLogger(__name__)

#: Seconds before an event is delivered again that nobody took: the first time, and at most.
_PAUSES: Final = (0.2, 15.0)


class Patience:
    """Delivers again what was not taken, with pauses that grow. Any thread may call."""

    def __init__(
        self, deliver: base.Deliver, skip: Callable[[Event, str], None], stop: threading.Event
    ) -> None:
        self._deliver = deliver
        self._skip = skip
        self._stop = stop
        #: Until when, monotonic, nothing at all is delivered.
        self._not_before = 0.0

    def deliver(self, event: Event, stop: threading.Event | None = None) -> bool:
        """Whether the event is dealt with, and may be acknowledged; False: we are to stop.

        :param stop: of this event, in place of the one for all
        :raises funcflow.triggers.base.Lost: the trigger is somebody else's
        """
        pause, longest = _PAUSES
        stop = stop or self._stop
        while not stop.wait(max(0.0, self._not_before - time.monotonic())):
            try:
                self._deliver(event)
                return True
            except base.Lost:
                raise
            except base.Busy as exc:
                self._not_before = time.monotonic() + (exc.retry_after or pause)
                continue
            except (errors.BadRequest, errors.TooLarge) as exc:
                if self._dropped(event, exc):
                    return True
            except errors.FuncflowError as exc:
                LOG.warning("Event %s from %s waits: %s", event.id, event.source, exc.message)
            stop.wait(pause)
            pause = min(longest, pause * 2)
        return False

    def _dropped(self, event: Event, exc: errors.FuncflowError) -> bool:
        """Write down that the event never will be taken; whether that is written."""
        LOG.warning("Event %s from %s is dropped: %s", event.id, event.source, exc.message)
        try:
            self._skip(event, exc.message)
        except errors.FuncflowError:
            return False
        return True
