"""Many small calls, few multis. Called by :mod:`.board` from any thread.

Group commit: a caller that finds a place free leads, taking along the steps of everybody
who waits, and sends them at once; who comes meanwhile waits for the next one. Nobody waits
for a batch to fill.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from kazoo import exceptions as kazoo_errors
from kazoo.handlers.threading import KazooTimeoutError

from funcflow import errors
from funcflow.jobboards.zookeeper import link as zookeeper_link
from funcflow.jobboards.zookeeper import multi as zookeeper_multi
from funcflow.jobboards.zookeeper import steps

#: Operations in one multi, far below ZooKeeper's limit of 1 MB a request.
MAX_OPERATIONS = 200
#: Seconds that even a late batch gets.
LEAST = 0.5
#: Multis under way at the same time.
LEADERS = 2
#: Refused multis after which every step is sent on its own.
MAX_REFUSALS = 4


class _Call:
    __slots__ = ("arrived", "batch", "gate", "steps")

    def __init__(self, wanted: Sequence[steps.Step]) -> None:
        self.steps = wanted
        self.arrived = time.monotonic()
        self.gate = threading.Lock()
        self.gate.acquire()
        #: Set when the caller is to lead: itself and whom it takes along.
        self.batch: list[_Call] | None = None


class Batcher:
    """``doubtful`` is told the locks that may exist though their claims were given up."""

    def __init__(
        self, link: zookeeper_link.Link, doubtful: Callable[[list[steps.Step]], None]
    ) -> None:
        self._link = link
        self._doubtful = doubtful
        self._lock = threading.Lock()
        self._waiting: list[_Call] = []
        self._leading = 0

    def run(self, wanted: Sequence[steps.Step]) -> None:
        """Do the steps. Each has its outcome afterwards; an error is
        :class:`errors.Unavailable` when the server does not answer in time or the session
        it is bound to has ended."""
        if not wanted:
            return
        call = _Call(wanted)
        with self._lock:
            self._waiting.append(call)
            self._appoint()
        call.gate.acquire()
        if call.batch is not None:
            self._lead(call.batch)

    def _appoint(self) -> None:
        """Let the first in the queue lead, if there is a place. With the lock held."""
        if not self._waiting or self._leading >= LEADERS:
            return
        self._leading += 1
        batch, self._waiting = self._waiting, []
        batch[0].batch = batch
        batch[0].gate.release()

    def _lead(self, batch: list[_Call]) -> None:
        todo = list(itertools.chain.from_iterable(call.steps for call in batch))
        try:
            # Who queued behind a silent server does not wait for it all over again.
            patience = batch[0].arrived + zookeeper_link.PATIENCE
            deadline = max(patience, time.monotonic() + LEAST)
            _Run(self._link, self._doubtful, deadline).do(todo)
        except BaseException as exc:
            # Ours, or an interrupt of the leading thread: nobody knows what was done.
            self._doubtful([step for step in todo if step.locks and step.czxid is None])
            unknown = errors.Unavailable(f"the call was broken off: {type(exc).__name__}")
            for step in todo:
                step.error = step.error or unknown
            raise
        finally:
            with self._lock:
                self._leading -= 1
                self._appoint()
            for follower in batch[1:]:
                follower.gate.release()


class _Run:
    """One batch, from first try to outcome."""

    def __init__(
        self,
        link: zookeeper_link.Link,
        doubtful: Callable[[list[steps.Step]], None],
        deadline: float,
    ) -> None:
        self._link = link
        self._doubtful = doubtful
        self._deadline = deadline
        self._refusals = 0

    def do(self, todo: list[steps.Step]) -> None:
        while todo:
            try:
                session = self._link.ready(self._deadline)
            except errors.Unavailable as exc:
                self._give_up(todo, exc)
                return
            todo = [step for step in todo if _belongs(step, session)]
            size = 1 if self._refusals >= MAX_REFUSALS else MAX_OPERATIONS
            sent_at = time.monotonic()
            sent = [(chunk, self._send(session, chunk)) for chunk in _split(todo, size)]
            todo = []
            for chunk, reply in sent:
                todo += self._read(session, chunk, reply, sent_at)

    def _send(self, session: zookeeper_link.Session, chunk: list[steps.Step]) -> Any:
        multi = zookeeper_multi.Multi(self._link.client)
        multi.check(session.node)
        for step in chunk:
            step.write(multi)
        for step in chunk:
            if step.locks:
                step.stamp(multi)
                break
        return multi.commit_async()

    def _read(
        self, session: zookeeper_link.Session, chunk: list[steps.Step], reply: Any, sent_at: float
    ) -> list[steps.Step]:
        """Take the outcome; returns the steps to try again."""
        try:
            results = self._wait(reply)
        except (kazoo_errors.ConnectionLoss, kazoo_errors.SessionExpiredError):
            for step in chunk:
                step.in_doubt = True
            return chunk
        except errors.Unavailable as exc:
            for step in chunk:
                step.in_doubt = True
            self._give_up(chunk, exc)
            return []
        except kazoo_errors.KazooException as exc:
            self._give_up(chunk, _answer(exc))
            return []
        at = next((at for at, result in enumerate(results) if _is_cause(result)), None)
        if at == 0:
            self._link.lost(session)
            return chunk
        self._link.answered(session, sent_at)
        if at is not None:
            self._refusals += 1
            return self._refused(session, chunk, at, results[at])
        for step in chunk:
            if step.locks:
                step.czxid = results[-1].mzxid
        return []

    def _refused(
        self, session: zookeeper_link.Session, chunk: list[steps.Step], at: int, error: Exception
    ) -> list[steps.Step]:
        """Let the step at fault decide; returns the others."""
        end = 1
        for culprit in chunk:
            end += culprit.size
            if at < end:
                break
        try:
            if not (culprit.in_doubt and culprit.locks and self._is_ours(session, culprit)):
                culprit.refused(error)
        except errors.Unavailable as exc:
            self._give_up([culprit], exc)
        if isinstance(culprit.error, kazoo_errors.KazooException):
            culprit.error = _answer(culprit.error)
        return [step for step in chunk if step is not culprit]

    def _is_ours(self, session: zookeeper_link.Session, step: steps.Step) -> bool:
        """Whether an earlier try of a claim has succeeded after all."""
        client = self._link.client
        client.sync_async(step.locks[0])  # the server we are at now may lag behind
        reply = client.get_async(step.locks[0])
        try:
            _, stat = self._wait(reply)
        except kazoo_errors.NoNodeError:
            return False
        except kazoo_errors.KazooException as exc:
            raise _answer(exc) from exc
        if stat.ephemeralOwner != session.id:
            return False
        step.czxid = stat.czxid
        return True

    def _wait(self, reply: Any) -> Any:
        try:
            return reply.get(timeout=max(0.0, self._deadline - time.monotonic()))
        except (kazoo_errors.AuthFailedError, kazoo_errors.ConnectionClosedError) as exc:
            raise errors.Unavailable("ZooKeeper refuses us", retry_after=1) from exc
        except KazooTimeoutError as exc:
            raise errors.Unavailable("ZooKeeper does not answer", retry_after=1) from exc

    def _give_up(self, todo: list[steps.Step], error: Exception) -> None:
        """Leave steps undone, as far as known. Locks may have come about, or may yet."""
        for step in todo:
            step.error = error
        doubtful = [step for step in todo if step.in_doubt and step.locks]
        if doubtful:
            self._doubtful(doubtful)


def _answer(error: Exception) -> errors.Unavailable:
    """A refusal that no step expects, such as that of an ACL."""
    return errors.Unavailable(f"ZooKeeper answers {type(error).__name__}")


def _belongs(step: steps.Step, session: zookeeper_link.Session) -> bool:
    """Whether a step may be sent in the session."""
    if step.bound and step.session is not session:
        if step.session is not None:
            step.error = errors.Unavailable("the board's session was lost", retry_after=1)
            return False
        step.session = session
    return True


def _split(todo: list[steps.Step], size: int) -> list[list[steps.Step]]:
    """Chunks of at most ``size`` operations; a single step may be larger."""
    chunks: list[list[steps.Step]] = []
    room = 0
    for step in todo:
        if step.size > room:
            chunks.append([])
            room = size
        chunks[-1].append(step)
        room -= step.size
    return chunks


def _is_cause(result: Any) -> bool:
    """Whether it is why a multi failed: others are only rolled back or not tried."""
    return isinstance(result, kazoo_errors.KazooException) and not isinstance(
        result, kazoo_errors.RolledBackError | kazoo_errors.RuntimeInconsistency
    )
