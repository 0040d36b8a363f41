"""What a source is given while it is served: its cursor, and the way of its events.

Used by :mod:`.pollers` and :mod:`.streams`.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable
from typing import Any

from oslo_config import cfg

from funcflow.db import trigger_cursors
from funcflow.db.engine import Database
from funcflow.eventing.partitions import Partitions
from funcflow.events import Event, Trigger
from funcflow.firing import Firer
from funcflow.triggers import base


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """What the parts of an events process share."""

    conf: cfg.ConfigOpts
    database: Database
    firer: Firer
    partitions: Partitions
    clock: Callable[[], float] = time.time


class FencedCursor:
    """Meets :class:`funcflow.triggers.base.Cursor`."""

    def __init__(self, parts: Parts, trigger: Trigger) -> None:
        self._parts = parts
        self._trigger = trigger

    def load(self) -> Any:
        with self._parts.database.read() as connection:
            found = trigger_cursors.load(connection, self._trigger.id)
            # Asked afterwards: then what was found is of this source, not of the next.
            if not trigger_cursors.is_current(connection, self._trigger):
                raise base.Lost("the trigger changed")
        return found

    def save(self, value: Any) -> None:
        self.change(trigger_cursors.save, value)

    def change(self, function: Callable[..., bool], value: Any) -> None:
        """Save or schedule, under the claim that is good now."""
        epoch = claimed(self._parts, self._trigger)
        now = self._parts.clock()
        done = self._parts.database.transact(
            lambda connection: function(connection, self._trigger, epoch, value, now)
        )
        if not done:
            raise base.Lost("the trigger is served elsewhere, changed, or gone")


def claimed(parts: Parts, trigger: Trigger) -> int:
    """The epoch of the claim on the trigger's partition.

    :raises funcflow.triggers.base.Lost: it is not ours
    """
    claim = parts.partitions.claim_of(trigger)
    if claim is None:
        raise base.Lost("the trigger's partition is not ours")
    return claim.epoch


def open_source(parts: Parts, driver: type[base.Source], trigger: Trigger) -> base.Source:
    """The trigger's source, with its tools."""
    given = functools.partial(parts.firer.identities.delegation, trigger)
    tools = base.Tools(
        conf=parts.conf,
        database=parts.database,
        cursor=FencedCursor(parts, trigger),
        skip=lambda event, reason: parts.firer.skip(trigger, event, reason),
        clock=parts.clock,
        lent=None if trigger.identity is None else given,
    )
    return driver(trigger, tools)


def deliver_to(parts: Parts, trigger: Trigger) -> base.Deliver:
    """The way of the trigger's events."""

    def deliver(event: Event) -> None:
        claimed(parts, trigger)
        parts.firer.fire(trigger, event)

    return deliver
