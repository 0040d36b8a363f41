"""Who serves which triggers: partitions, held by claims on a jobboard of their own.

Used by :mod:`.reactor`. A partition is a job that is never done: whoever holds the claim on it
serves the triggers in its slots. The board shares jobs out among its members and gives a dead
member's to the others within the session timeout. Its claims come with an epoch that grows, which
fences what is written about the triggers.
"""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Callable
from typing import Final

from oslo_log import log as logging

from funcflow import errors, ids
from funcflow.events import SLOTS, Trigger
from funcflow.jobboards import base as board_base

LOG = logging.getLogger(__name__)

_NAMESPACE: Final = uuid.UUID("6b0e5a4e-4f3c-5f0b-9d6f-1c1f0a3f9a57")
_PROJECT: Final = "partitions"


class Partitions(board_base.Listener):
    """The partitions of one process. ``changed`` is called when they may be others."""

    def __init__(self, board: board_base.Board, changed: Callable[[], None]) -> None:
        self.name = ids.new()
        self._board = board
        self._changed = changed
        self._tickets = [_ticket(board, number) for number in range(board.shards)]
        self._number = {ticket.execution_id: n for n, ticket in enumerate(self._tickets)}
        self._lock = threading.Lock()
        self._claims: dict[int, board_base.Claim] = {}

    def start(self) -> None:
        self._board.start(self, serve=True)
        self._board.join(board_base.Member(self.name))

    def stop(self) -> None:
        """Give all back, so that others go on at once."""
        self._board.stop()

    def on_jobs(self) -> None:
        self._changed()

    def on_members(self) -> None:
        self._changed()

    def on_session(self, alive: bool) -> None:
        self._changed()

    def renew(self) -> None:
        """Claim what is to be ours and give back what is not any more.

        :raises funcflow.errors.Unavailable: the board is away; what is held is held on to as long
            as the claims are good
        """
        with self._lock:
            self._claims = {n: c for n, c in self._claims.items() if self._board.holds(c)}
            wanted = set(self._board.own_shards())
            surplus = [claim for n, claim in self._claims.items() if n not in wanted]
            self._claims = {n: c for n, c in self._claims.items() if n in wanted}
        if surplus:
            self._board.release(surplus)
        missing = [self._tickets[n] for n in sorted(wanted - set(self._claims))]
        if missing:
            self._board.post(missing)
            won = self._board.claim(missing)
            with self._lock:
                for claim in won:
                    self._claims[self._number[claim.ticket.execution_id]] = claim
            if won:
                LOG.info("Serving %d of %d partitions", len(self._claims), len(self._tickets))

    def held(self) -> dict[int, board_base.Claim]:
        """The partitions that are ours as far as known here, and the claims on them."""
        with self._lock:
            return {n: c for n, c in self._claims.items() if self._board.holds(c)}

    def slots(self) -> list[int]:
        """Of all partitions that are ours."""
        held = self.held()
        return [slot for slot in range(SLOTS) if slot % self._board.shards in held]

    def claim_of(self, trigger: Trigger) -> board_base.Claim | None:
        """The claim under which the trigger is served; None: it is not ours."""
        with self._lock:
            claim = self._claims.get(trigger.slot % self._board.shards)
        return claim if claim is not None and self._board.holds(claim) else None


def _ticket(board: board_base.Board, number: int) -> board_base.Ticket:
    """The job of a partition, on the shard of the same number."""
    for attempt in itertools.count():
        made = str(uuid.uuid5(_NAMESPACE, f"{number} {attempt}"))
        if board.shard_of(made) == number:
            return board_base.Ticket(made, _PROJECT, made)
    raise errors.ConfigError("there are no partitions")  # never: the count has no end
