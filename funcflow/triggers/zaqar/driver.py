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
import time
from collections.abc import Mapping
from typing import Any, Final

from oslo_config import cfg

from funcflow import events
from funcflow.events import BadEvent, Event, Trigger
from funcflow.triggers import base, cloud, fields
from funcflow.triggers.patience import Patience
from funcflow.triggers.zaqar.queue import MOST, TTL, Claim, Message, Queue

LOG = logging.getLogger(__name__)

TYPE: Final = "org.openstack.zaqar.message"
#: Names of queues, as Zaqar has them.
QUEUE: Final = re.compile(r"[\w-]{1,64}", re.ASCII)
#: Messages of one claim that are delivered at the same time.
_THREADS: Final = 8
#: Seconds before Zaqar is asked again that did not answer; doubles.
_PAUSES: Final = (0.2, 15.0)


class ZaqarSource(base.Stream):
    """``{"queue": "uploads"}``; ``interval``: seconds between looks at an empty queue; ``ttl``:
    of a claim, in seconds, which is renewed while its messages are worked on."""

    def __init__(
        self, trigger: Trigger, tools: base.Tools, tokens: cloud.Tokens | None = None
    ) -> None:
        self._tools = tools
        self._told = trigger.source.configuration
        self._login = cloud.Login(tools.conf)
        section = tools.conf.openstack
        self._service = cloud.Service(
            trigger.project_id,
            tokens or self._login.token,
            lambda: section.zaqar_url or self._login.url(trigger.project_id, "messaging"),
            section.call_timeout,
        )
        self._queue = Queue(self._service, self._told["queue"])
        self._renewed = 0.0
        #: A claim that could not be ended, and what of it is durable and not deleted.
        self._left: tuple[Claim, list[Message]] | None = None

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
        with concurrent.futures.ThreadPoolExecutor(_THREADS, thread_name_prefix="zaqar") as pool:
            pause, longest = _PAUSES
            while not stop.is_set():
                try:
                    more = self._round(deliver, stop, pool)
                    pause = _PAUSES[0]
                except (cloud.Away, cloud.Refused) as exc:
                    LOG.warning("Queue %s waits: %s", self._told["queue"], exc.message)
                    stop.wait(pause)
                    pause = min(longest, pause * 2)
                else:
                    stop.wait(0 if more else self._told["interval"])

    def close(self) -> None:
        self._service.close()
        self._login.close()

    def _round(
        self, deliver: base.Deliver, stop: threading.Event, pool: concurrent.futures.Executor
    ) -> bool:
        """Deal with one claim; whether there may be more."""
        self._end_left()
        claim = self._queue.claim(self._told["ttl"], MOST)
        if claim is None:
            return False
        self._renewed = time.monotonic()
        over = threading.Event()
        patience = Patience(deliver, self._tools.skip, _Either(stop, over))
        futures = {
            pool.submit(patience.deliver, self._event(message)): message
            for message in claim.messages
        }
        try:
            self._settle(claim, futures, over)
        finally:
            over.set()  # Whatever went wrong, nothing is delivered under this claim any more.
            concurrent.futures.wait(futures)
            if futures:
                self._left = (claim, [m for future, m in futures.items() if _is_durable(future)])
                with contextlib.suppress(cloud.Away, cloud.Refused):
                    self._end_left()
        return len(claim.messages) == MOST

    def _settle(
        self,
        claim: Claim,
        futures: dict[concurrent.futures.Future[bool], Message],
        over: threading.Event,
    ) -> None:
        """Delete what is durable, and take it out of ``futures``; keep the claim while anything
        of it is under way."""
        waiting = set(futures)
        while waiting and not over.is_set():
            done, waiting = concurrent.futures.wait(waiting, timeout=self._told["ttl"] / 4)
            durable = [each for each in done if each.result()]
            if durable:
                self._queue.delete(claim, [futures[each] for each in durable])
            for each in durable:
                del futures[each]
            if waiting and not self._kept(claim):
                LOG.warning("A claim of queue %s ended too soon", self._told["queue"])
                over.set()

    def _end_left(self) -> None:
        """Delete what was durable under a claim, and free the rest of it for whoever is next:
        else that would wait until the claim's time is over."""
        if self._left is not None:
            claim, durable = self._left
            if durable:
                self._queue.delete(claim, durable)
            self._queue.release(claim)
            self._left = None

    def _kept(self, claim: Claim) -> bool:
        """Whether the claim is ours; renewed when half of its life is over."""
        now = time.monotonic()
        if now - self._renewed < self._told["ttl"] / 2:
            return True
        self._renewed = now
        return self._queue.renew(claim, self._told["ttl"])

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


def _is_durable(future: concurrent.futures.Future[bool]) -> bool:
    return not future.cancelled() and future.exception() is None and future.result()


class _Either(threading.Event):
    """Set once either of two is: we are to stop, or the claim is over."""

    def __init__(self, stop: threading.Event, over: threading.Event) -> None:
        super().__init__()
        self._both = (stop, over)

    def is_set(self) -> bool:
        return any(each.is_set() for each in self._both)

    def wait(self, timeout: float | None = None) -> bool:
        deadline = time.monotonic() + (timeout or 0.0)
        while not self.is_set() and (left := deadline - time.monotonic()) > 0:
            self._both[0].wait(min(left, 0.5))
        return self.is_set()


def check_offered(conf: cfg.ConfigOpts) -> None:
    """
    :raises base.BadSource: this installation cannot log in to a cloud
    """
    if not cloud.configured(conf):
        raise base.BadSource(
            "this installation has no cloud to log in to",
            hint="Ask your operator to set auth_type and what it needs in [openstack].",
        )
