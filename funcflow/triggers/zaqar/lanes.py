"""Claim, deliver, delete: one claim after the other. Used by :mod:`.driver`."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import logging
import threading
import time
from collections.abc import Callable

from funcflow.events import Event
from funcflow.triggers import cloud
from funcflow.triggers.patience import Patience
from funcflow.triggers.zaqar.queue import MOST, Claim, Message, Queue

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Work:
    """What all lanes of a source share. ``full`` is set when a claim holds as many messages as one
    may: there are more."""

    queue: Queue
    #: Of a claim, in seconds.
    ttl: int
    event_of: Callable[[Message], Event]
    patience: Patience
    pool: concurrent.futures.Executor
    full: threading.Event


class Lane:
    """One claim at a time. One thread uses it."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._renewed = 0.0
        #: A claim that could not be ended, and what of it is durable and not deleted.
        self._left: tuple[Claim, list[Message]] | None = None

    def round(self, stop: threading.Event) -> bool:
        """Deal with one claim; whether there may be more.

        :raises funcflow.triggers.cloud.Away: Zaqar is
        :raises funcflow.triggers.cloud.Refused: Zaqar lets us not do that
        :raises funcflow.triggers.base.Lost: the trigger is somebody else's
        """
        self._end_left()
        work = self._work
        claim = work.queue.claim(work.ttl, MOST)
        if claim is None:
            return False
        self._renewed = time.monotonic()
        full = len(claim.messages) == MOST
        if full:
            work.full.set()
        over = threading.Event()
        either = Either(stop, over)
        futures = {
            work.pool.submit(work.patience.deliver, work.event_of(message), either): message
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
        return full

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
            done, waiting = concurrent.futures.wait(waiting, timeout=self._work.ttl / 4)
            durable = [each for each in done if each.result()]
            if durable:
                self._work.queue.delete(claim, [futures[each] for each in durable])
            for each in durable:
                del futures[each]
            if waiting and not self._kept(claim):
                LOG.warning("Claim %s ended too soon", claim.id)
                over.set()

    def _end_left(self) -> None:
        """Delete what was durable under a claim, and free the rest of it for whoever is next:
        else that would wait until the claim's time is over."""
        if self._left is not None:
            claim, durable = self._left
            if durable:
                self._work.queue.delete(claim, durable)
            self._work.queue.release(claim)
            self._left = None

    def _kept(self, claim: Claim) -> bool:
        """Whether the claim is ours; renewed when half of its life is over."""
        now = time.monotonic()
        if now - self._renewed < self._work.ttl / 2:
            return True
        self._renewed = now
        return self._work.queue.renew(claim, self._work.ttl)


def _is_durable(future: concurrent.futures.Future[bool]) -> bool:
    return not future.cancelled() and future.exception() is None and future.result()


class Either(threading.Event):
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
