"""Which jobs are free, in memory. Kept by :mod:`.hub` under its lock."""

from __future__ import annotations

import operator
from collections.abc import Iterable

from funcflow.jobboards import base

_AGE = operator.attrgetter("execution_id")


class Waiting:
    """Unclaimed tickets by shard."""

    def __init__(self, shards: int) -> None:
        self._shards: list[dict[str, base.Ticket]] = [{} for _ in range(shards)]
        self._sorted: dict[tuple[int, ...], list[base.Ticket]] = {}

    def add(self, shard: int, ticket: base.Ticket) -> None:
        self._shards[shard][ticket.execution_id] = ticket
        self._sorted.clear()

    def remove(self, shard: int, execution_id: str) -> None:
        if self._shards[shard].pop(execution_id, None) is not None:
            self._sorted.clear()

    def replace(self, content: Iterable[tuple[int, base.Ticket]]) -> bool:
        """Start over from a listing; whether it has something that was not here."""
        before = self._shards
        self._shards = [{} for _ in before]
        for shard, ticket in content:
            self._shards[shard][ticket.execution_id] = ticket
        self._sorted.clear()
        return any(now.keys() - old.keys() for now, old in zip(self._shards, before, strict=True))

    def oldest_first(self, shards: tuple[int, ...]) -> list[base.Ticket]:
        tickets = self._sorted.get(shards)
        if tickets is None:
            tickets = [ticket for shard in shards for ticket in self._shards[shard].values()]
            tickets.sort(key=_AGE)
            self._sorted[shards] = tickets
        return tickets.copy()

    def depth(self, shards: Iterable[int]) -> int:
        return sum(len(self._shards[shard]) for shard in shards)
