"""The ``notification`` source: what OpenStack services say of what they do.

A trigger has a queue of its own at the broker, which holds what comes while nobody serves it, or
takes from the services' own. A notification is acknowledged once its event is durable; when we
end before, the broker gives it to the next.
"""

from __future__ import annotations

import collections
import concurrent.futures
import fnmatch
import hashlib
import json
import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

from oslo_config import cfg

from funcflow.events import BadEvent, Event, Trigger
from funcflow.triggers import base, fields
from funcflow.triggers.notification import broker, envelope
from funcflow.triggers.patience import Patience

LOG = logging.getLogger(__name__)

PRIORITIES: Final = ("audit", "debug", "info", "warn", "error", "critical", "sample")
#: Seconds to look for the next, while some are being delivered and else.
_SOON, _LATER = 0.02, 0.5
#: Seconds before the broker is asked again; doubles.
_PAUSES: Final = (0.2, 10.0)
_FIELDS: Final = ("exchanges", "topics", "event_types", "publishers", "priorities", "queue")


class NotificationSource(base.Stream):
    """``{"exchanges": ["nova"], "event_types": ["compute.instance.*"]}``"""

    def __init__(self, trigger: Trigger, tools: base.Tools) -> None:
        self._tools = tools
        self._told = trigger.source.configuration
        self._project_id = trigger.project_id
        self._open = trigger.project_id in tools.conf.notifications.open_projects
        shared = self._told["queue"] == "shared" and self._open and tools.conf.notifications.share
        self._name = None if shared else queue_name(trigger)

    @classmethod
    def check(cls, configuration: Mapping[str, Any], conf: cfg.ConfigOpts) -> dict[str, Any]:
        check_offered(conf)
        fields.known(configuration, _FIELDS)
        made: dict[str, Any] = {
            "exchanges": fields.patterns(configuration, "exchanges", wild=False),
            "topics": fields.patterns(configuration, "topics", ["notifications"], wild=False),
            "priorities": fields.patterns(configuration, "priorities", ["info"], wild=False),
            "event_types": fields.patterns(configuration, "event_types", ["*"]),
            "publishers": fields.patterns(configuration, "publishers", ["*"]),
            "queue": configuration.get("queue", "own"),
        }
        for name, offered in (("topics", conf.notifications.topics), ("priorities", PRIORITIES)):
            if strange := set(made[name]) - set(offered):
                raise base.BadSource(f"{name} cannot have {min(strange)!r}: {', '.join(offered)}")
        if made["queue"] not in ("own", "shared"):
            raise base.BadSource("queue is own or shared")
        if made["queue"] == "shared" and not conf.notifications.share:
            raise base.BadSource("the services' own queues are not for triggers; queue is own")
        return made

    def serve(self, deliver: base.Deliver, stop: threading.Event) -> None:
        told = self._told
        keys = [f"{topic}.{each}" for topic in told["topics"] for each in told["priorities"]]
        patience = Patience(deliver, self._tools.skip, stop)
        pause, longest = _PAUSES
        while not stop.is_set():
            reader = _Reader(broker.Queue(self._tools.conf, told["exchanges"], keys, self._name))
            try:
                reader.serve(lambda message: self._done(message, patience), stop,
                             self._tools.conf.notifications.threads)  # fmt: skip
            except broker.Away as exc:
                LOG.warning("%s; trying again", exc.message)
                pause = _PAUSES[0] if reader.read else min(longest, pause * 2)
                stop.wait(pause)

    def close(self) -> None:
        """Whatever was open was closed at the end of ``serve``."""

    def event_of(self, said: envelope.Notification, exchange: str) -> Event | None:
        """The event that a notification is; None: it is not for this trigger.

        :raises funcflow.events.BadEvent: it is none at all
        """
        if not self._open and said.project_id != self._project_id:
            return None
        told = self._told
        if not _any(told["event_types"], said.event_type):
            return None
        if not _any(told["publishers"], said.publisher) or said.priority not in told["priorities"]:
            return None
        return said.event(exchange)

    def _done(self, message: broker.Message, patience: Patience) -> bool:
        """Whether the message was dealt with; False: we are to stop.

        :raises funcflow.events.BadEvent: it is no notification
        """
        exchange = str(message.delivery_info.get("exchange"))
        event = self.event_of(envelope.parse(broker.body_of(message)), exchange)
        return True if event is None else patience.deliver(event)


class _Reader:
    """Reads a queue in this thread, and has what it reads delivered in others."""

    def __init__(self, queue: broker.Queue) -> None:
        self._queue = queue
        self._under_way: collections.deque[tuple[broker.Message, Any]] = collections.deque()
        #: Whether the queue could be opened.
        self.read = False

    def serve(self, work: Any, stop: threading.Event, threads: int) -> None:
        """Until told to stop; ``work`` says of each message whether it may be acknowledged.

        :raises broker.Away: the broker is
        :raises funcflow.triggers.base.Lost: the trigger is somebody else's
        """
        pool = concurrent.futures.ThreadPoolExecutor(threads, thread_name_prefix="notification")
        try:
            self._queue.open(
                lambda message: self._under_way.append((message, pool.submit(work, message)))
            )
            self.read = True
            while not stop.is_set():
                self._queue.read(_SOON if self._under_way else _LATER)
                self._settle()
            concurrent.futures.wait([future for _, future in self._under_way])
            self._settle()
        finally:
            # Ends the connection first: what is not acknowledged is free for the next at once.
            self._queue.close()
            pool.shutdown(wait=True, cancel_futures=True)

    def _settle(self) -> None:
        """Acknowledge what is durable, in whatever order it got there."""
        for message, future in [each for each in self._under_way if each[1].done()]:
            self._under_way.remove((message, future))
            try:
                done = future.result()
            except BadEvent as exc:
                LOG.warning("A message is refused: %s", exc.message)
                self._queue.refuse(message)
                continue
            if done:
                self._queue.acknowledge(message)


def check_offered(conf: cfg.ConfigOpts) -> None:
    """
    :raises base.BadSource: this installation knows no broker of notifications
    """
    if conf.notifications.transport_url is None:
        raise base.BadSource(
            "this installation listens to no notifications",
            hint="Ask your operator to set transport_url in [notifications].",
        )


def queue_name(trigger: Trigger) -> str:
    """Of the trigger's own queue: another one once it is bound to something else."""
    told = trigger.source.configuration
    bound = [told[name] for name in ("exchanges", "topics", "priorities")]
    digest = hashlib.sha256(json.dumps(bound).encode()).hexdigest()[:8]
    return f"funcflow.{trigger.id}.{digest}"


def _any(patterns: Sequence[str], text: str) -> bool:
    return any(fnmatch.fnmatchcase(text, each) for each in patterns)
