"""Which jobs are free, in memory. Kept by the drivers, under a lock of theirs."""

from __future__ import annotations

import operator
from collections.abc import Iterable

from funcflow.jobboards import base

_AGE = operator.attrgetter("execution_id")


class Waiting:
    """Unclaimed tickets by shard and execution."""

    def __init__(self, shards: int) -> None:
        self._shards: list[dict[str, base.Ticket]] = [{} for _ in range(shards)]
        self._sorted: dict[tuple[int, ...], list[base.Ticket]] = {}

    def add(self, shard: int, ticket: base.Ticket) -> None:
        self._shards[shard][ticket.execution_id] = ticket
        self._sorted.clear()

    def remove(self, shard: int, execution_id: str) -> None:
        if self._shards[shard].pop(execution_id, None) is not None:
            self._sorted.clear()

    def replace(self, shard: int, tickets: dict[str, base.Ticket]) -> bool:
        """Start the shard over; whether there is something that was not here."""
        before = self._shards[shard].keys()
        after = tickets.keys()
        if before == after:
            return False
        self._shards[shard] = tickets
        self._sorted.clear()
        return not after <= before

    def oldest_first(self, shards: Iterable[int]) -> list[base.Ticket]:
        wanted = tuple(shards)
        tickets = self._sorted.get(wanted)
        if tickets is None:
            tickets = [ticket for shard in wanted for ticket in self._shards[shard].values()]
            tickets.sort(key=_AGE)
            self._sorted[wanted] = tickets
        return tickets.copy()

    def depth(self, shards: Iterable[int]) -> int:
        return sum(len(self._shards[shard]) for shard in shards)
