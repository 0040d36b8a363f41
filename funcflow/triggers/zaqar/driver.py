"""The ``zaqar`` source: messages of a queue, by claim.

Claim, deliver, delete: a message is deleted once its event is durable. Whoever dies in between
leaves a claim that ends by itself; the next one delivers the same messages, under the same ids,
and what was durable already is not run again. ``tests/models/zaqar_model.py`` explores every
order of these steps.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import logging
import re
import threading
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from oslo_config import cfg

from funcflow import events
from funcflow.events import BadEvent, Event, Trigger
from funcflow.triggers import base, cloud, fields
from funcflow.triggers.patience import Patience
from funcflow.triggers.zaqar import lanes
from funcflow.triggers.zaqar.queue import MOST, TTL, Message, Queue

LOG = logging.getLogger(__name__)

TYPE: Final = "org.openstack.zaqar.message"
#: Names of queues, as Zaqar has them.
QUEUE: Final = re.compile(r"[\w-]{1,64}", re.ASCII)
#: Claims that are worked on at the same time while there are many messages, so that nobody waits
#: for Zaqar; and messages that are delivered at the same time, so that they share transactions.
_LANES: Final = 4
_THREADS: Final = 2 * MOST
#: Seconds before Zaqar is asked again that did not answer; doubles.
_PAUSES: Final = (0.2, 15.0)


class ZaqarSource(base.Stream):
    """``{"queue": "uploads"}``; ``interval``: seconds between looks at an empty queue; ``ttl``:
    of a claim, in seconds, which is renewed while its messages are worked on."""

    acts: ClassVar[bool] = True

    def __init__(self, trigger: Trigger, tools: base.Tools) -> None:
        self._tools = tools
        self._told = trigger.source.configuration
        self._rights = cloud.rights(tools)
        section = tools.conf.openstack
        self._service = cloud.Service(
            trigger.project_id,
            self._rights.token,
            lambda: section.zaqar_url or self._rights.url(trigger.project_id, "messaging"),
            section.call_timeout,
        )
        self._queue = Queue(self._service, self._told["queue"])

    @classmethod
    def check(cls, configuration: Mapping[str, Any], conf: cfg.ConfigOpts) -> dict[str, Any]:
        check_offered(conf)
        fields.known(configuration, ("queue", "interval", "ttl"))
        return {
            "queue": fields.text(configuration, "queue", QUEUE),
            "interval": fields.number(configuration, "interval", 1.0, 0.1, 60.0),
            "ttl": int(fields.number(configuration, "ttl", TTL, TTL, 3600)),
        }

    def serve(self, deliver: base.Deliver, stop: threading.Event) -> None:
        full, ended = threading.Event(), threading.Event()
        either = lanes.Either(stop, ended)
        patience = Patience(deliver, self._tools.skip, either)
        with (
            concurrent.futures.ThreadPoolExecutor(_THREADS, "zaqar") as pool,
            concurrent.futures.ThreadPoolExecutor(_LANES, "zaqar-lane") as crew,
        ):
            work = lanes.Work(self._queue, self._told["ttl"], self._event, patience, pool, full)
            running = [
                crew.submit(self._run, lanes.Lane(work), number == 0, full, either)
                for number in range(_LANES)
            ]
            try:
                for each in concurrent.futures.as_completed(running):
                    each.result()
            finally:
                ended.set()

    def _run(
        self, lane: lanes.Lane, first: bool, full: threading.Event, stop: threading.Event
    ) -> None:
        """The first lane looks again and again; the others help while claims are full."""
        pause, longest = _PAUSES
        interval: float = self._told["interval"]
        while not stop.is_set():
            if not first and not full.is_set():
                stop.wait(interval)
                continue
            try:
                more = lane.round(stop)
                pause = _PAUSES[0]
            except (cloud.Away, cloud.Refused) as exc:
                LOG.warning("Queue %s waits: %s", self._told["queue"], exc.message)
                stop.wait(pause)
                pause = min(longest, pause * 2)
            else:
                if not more:
                    full.clear()
                    stop.wait(interval)

    def close(self) -> None:
        self._service.close()
        self._rights.close()

    def _event(self, message: Message) -> Event:
        """A message that is a CloudEvent is that event; else it is the data of one."""
        body = message.body
        if isinstance(body, Mapping) and body.get("specversion") == events.SPECVERSION:
            with contextlib.suppress(BadEvent):
                return events.from_envelope(body)
        return Event(
            id=message.id,
            source=f"/zaqar/{self._told['queue']}",
            type=TYPE,
            subject=self._told["queue"],
            # When it was posted, as far as its age in whole seconds tells.
            time=events.now_text(int(self._tools.clock()) - message.age),
            datacontenttype="application/json",
            data=body,
        )


def check_offered(conf: cfg.ConfigOpts, *, lent: bool = True) -> None:
    """
    :param lent: triggers of this source may be lent an identity; else we log in ourselves
    :raises base.BadSource: this installation cannot log in to a cloud
    """
    if not (cloud.reachable(conf) if lent else cloud.configured(conf)):
        raise base.BadSource(
            "this installation has no cloud to log in to",
            hint="Ask your operator to set auth_type and what it needs in [openstack].",
        )
