"""Conductors as seen from another process: hand-over and control over connections.

Used by the API when conductors run elsewhere. Which conductor gets a call follows from
the function (rendezvous hash), so that calls find warm workers; a full one passes it on.
"""

from __future__ import annotations

import itertools
import logging
import socket
import threading
import time
from concurrent.futures import Future
from typing import Any

from funcflow import codec, control, errors, handover, models, wire
from funcflow.jobboards import base as board_base
from funcflow.jobboards import tickets

LOG = logging.getLogger(__name__)

CONNECT = 2.0
#: Seconds an answer to a control request may take.
CONTROL = 15.0
#: Seconds a call waits for a conductor where there is none, and between two looks.
GAP = 10.0
PAUSE = 0.1


class Lost(errors.Unavailable):
    """The conductor went away before it answered."""


class Nobody(errors.Unavailable):
    """No conductor is there."""

    code = "no_conductor"


class Peer:
    """One connection to one conductor, shared by all threads."""

    def __init__(self, address: str, secret: str) -> None:
        """:raises Lost: nobody there"""
        host, _, port = address.rpartition(":")
        try:
            sock = socket.create_connection((host.strip("[]"), int(port)), CONNECT)
        except OSError as exc:
            raise Lost(f"no conductor at {address}: {exc}", retry_after=1.0) from exc
        try:
            self._connection = wire.Connection(sock, secret, server=False)
        except (wire.Closed, wire.Refused) as exc:
            sock.close()
            raise Lost(f"the conductor at {address} refused: {exc}", retry_after=1.0) from exc
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[Any]] = {}
        self.alive = True
        self._thread = threading.Thread(target=self._read, name="peer-answers", daemon=True)
        self._thread.start()

    def ask(self, op: str, **arguments: Any) -> Future[Any]:
        """Send a request; the future gives its answer or error.

        :raises Lost: the conductor is gone, and did not get it
        """
        future: Future[Any] = Future()
        number = next(self._numbers)
        with self._lock:
            if not self.alive:
                raise Lost("the conductor is gone", retry_after=1.0)
            self._waiting[number] = future
        try:
            self._connection.send({"id": number, "op": op, **arguments})
        except wire.Closed as exc:
            with self._lock:
                self._waiting.pop(number, None)
            raise Lost("the conductor is gone", retry_after=1.0) from exc
        return future

    def close(self) -> None:
        self._connection.close()
        self._thread.join()

    def _read(self) -> None:
        try:
            while True:
                message = self._connection.receive()
                with self._lock:
                    future = self._waiting.pop(message.get("id", 0), None)
                if future is None:
                    continue
                if "error" in message:
                    future.set_exception(codec.error_in(message["error"]))
                else:
                    future.set_result(message["value"])
        except wire.Closed:
            with self._lock:
                self.alive = False
                orphans, self._waiting = list(self._waiting.values()), {}
            for future in orphans:
                future.set_exception(Lost("the conductor went away", retry_after=1.0))


class Peers:
    """All conductors. Meets :class:`handover.Handover` and :class:`control.Control`."""

    def __init__(self, board: board_base.Board, secret: str) -> None:
        self._board = board
        self._secret = secret
        self._lock = threading.Lock()
        self._peers: dict[str, Peer] = {}

    def run(self, execution: models.Execution, wait: float) -> models.Execution | None:
        """See :class:`funcflow.handover.Handover`."""
        data = codec.execution_out(execution)
        answer = self._hand_over(execution.function_id, "run", data, wait)
        return None if answer is None else codec.execution_in(answer)

    def start_composition(
        self, execution: models.CompositionExecution, wait: float
    ) -> models.CompositionExecution | None:
        data = codec.composition_execution_out(execution)
        # By the execution: compositions keep nothing warm but their definition.
        answer = self._hand_over(execution.id, "start", data, wait)
        return None if answer is None else codec.composition_execution_in(answer)

    def _hand_over(
        self, key: str, op: str, execution: dict[str, Any], wait: float
    ) -> dict[str, Any] | None:
        """Find a conductor that takes it, and wait for its answer, ``wait`` seconds in all.

        Where there is none, the next may be on its way, as in a rolling restart: that is
        waited for. Full ones are refused at once: waiting for them would hide the load.
        """
        begin = time.monotonic()
        while True:
            spent = time.monotonic() - begin
            try:
                return self._ask_in_turn(key, op, execution, wait - spent)
            except Nobody:
                if spent + PAUSE > min(wait, GAP):
                    raise
            time.sleep(PAUSE)

    def _ask_in_turn(
        self, key: str, op: str, execution: dict[str, Any], wait: float
    ) -> dict[str, Any] | None:
        """Ask one conductor after the other, in the order that the key has them."""
        full = False
        for address in self._order(key):
            try:
                future = self._peer(address).ask(op, execution=execution)
            except Lost as exc:
                LOG.warning("%s; trying the next one", exc)
                continue
            try:
                answer: dict[str, Any] | None = future.result(wait)
            except TimeoutError:
                return None
            except Lost:
                return None  # It may have begun: the row tells.
            except (errors.TooMany, errors.Unavailable) as exc:
                if exc.code not in (handover.Full.code, handover.Leaving.code):
                    raise
                full = full or exc.code == handover.Full.code
                continue
            return answer
        if full:
            raise errors.TooMany("every conductor is full", retry_after=1.0)
        raise Nobody("no conductor is there", retry_after=2.0)

    def workers(self, function_id: str, revision: int | None = None) -> list[control.WorkerInfo]:
        """See :class:`funcflow.control.Control`, as the following ones."""
        answers = self._ask_all("workers", function_id=function_id, revision=revision)
        return [codec.worker_in(worker) for answer in answers for worker in answer]

    def scale(self, revision: models.Revision, count: int) -> int:
        """The conductor that gets the function's calls scales."""
        for address in self._order(revision.function_id):
            try:
                peer = self._peer(address)
                asked = peer.ask("scale", revision=codec.revision_out(revision), count=count)
            except Lost:
                continue
            return int(asked.result(CONTROL * 2))
        raise Nobody("no conductor is there")

    def detach(self, function_id: str, revision: int | None = None) -> int:
        return sum(self._ask_all("detach", function_id=function_id, revision=revision))

    def capacity(self, language: str) -> control.Capacity:
        answers = self._ask_all("capacity", language=language)
        return control.Capacity(
            sum(answer["total"] for answer in answers),
            sum(answer["available"] for answer in answers),
        )

    def cancel(self, execution_id: str) -> None:
        self._ask_all("cancel", execution_id=execution_id)

    def nudge(self, execution_id: str, owner: str | None = None) -> None:
        """Told to who holds it; to one of those that could, if nobody does."""
        for member in self._board.members():
            if member.address and owner in (None, member.name):
                try:
                    self._peer(member.address).ask("nudge", execution_id=execution_id, owner=owner)
                except Lost as exc:
                    LOG.warning("%s", exc)
                else:
                    return

    def close(self) -> None:
        with self._lock:
            peers, self._peers = list(self._peers.values()), {}
        for peer in peers:
            peer.close()

    def _order(self, function_id: str) -> list[str]:
        """Addresses of the conductors, the function's own first."""
        members = [member for member in self._board.members() if member.address]
        members.sort(key=lambda member: tickets.rank(function_id, member.name), reverse=True)
        return [member.address for member in members if member.address]

    def _peer(self, address: str) -> Peer:
        with self._lock:
            peer = self._peers.get(address)
            if peer is not None and peer.alive:
                return peer
        fresh = Peer(address, self._secret)
        with self._lock:
            other = self._peers.get(address)
            if other is not None and other.alive:
                keep, drop = other, fresh
            else:
                keep, drop = fresh, None
                self._peers[address] = fresh
        if drop is not None:
            drop.close()
        return keep

    def _ask_all(self, op: str, **arguments: Any) -> list[Any]:
        futures = []
        for member in self._board.members():
            if member.address:
                try:
                    futures.append(self._peer(member.address).ask(op, **arguments))
                except Lost as exc:
                    LOG.warning("%s", exc)
        answers = [_result(future) for future in futures]
        if not any(answered for answered, _ in answers):
            raise Nobody("no conductor answers")
        return [value for answered, value in answers if answered]


def _result(future: Future[Any]) -> tuple[bool, Any]:
    try:
        return True, future.result(CONTROL)
    except (errors.Unavailable, TimeoutError) as exc:
        LOG.warning("a conductor did not answer: %s", exc)
        return False, None
