"""Telling triggers that an execution ended, in the very transaction that ends it.

Used by the group commit. Which projects have triggers for that is remembered until somebody
announces a change, or for a moment, so that those who have none pay nothing.
"""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from funcflow import ids
from funcflow.db import trigger_tables

_t = trigger_tables.triggers
_waiting = trigger_tables.trigger_events
TYPE: Final = "execution"
#: Seconds that what is known is good for.
AGE: Final = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class Ended:
    """An execution that just came to one of its ends."""

    kind: str
    id: str
    project_id: str
    state: str


@dataclasses.dataclass(frozen=True, slots=True)
class _Wish:
    """What one trigger wants to be told of."""

    trigger_id: str
    kind: str | None
    states: frozenset[str]

    def covers(self, ended: Ended) -> bool:
        return ended.state in self.states and self.kind in (None, ended.kind)


class Destinations:
    """What all triggers want to be told of, as far as known here. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known_until = 0.0
        self._wishes: Mapping[str, Sequence[_Wish]] = {}

    def forget(self) -> None:
        """Triggers changed somewhere."""
        with self._lock:
            self._known_until = 0.0

    def write(self, connection: sa.Connection, ended: Sequence[Ended]) -> None:
        """Keep a row for each trigger that wants to be told."""
        wishes = self._read(connection)
        if not wishes:
            return
        now = time.time()
        rows = [
            {
                "id": ids.new(),
                "trigger_id": wish.trigger_id,
                "event": json.dumps({"kind": each.kind, "id": each.id, "state": each.state}),
                "created_at": now,
            }
            for each in ended
            for wish in wishes.get(each.project_id, ())
            if wish.covers(each)
        ]
        if rows:
            connection.execute(sa.insert(_waiting), rows)

    def _read(self, connection: sa.Connection) -> Mapping[str, Sequence[_Wish]]:
        with self._lock:
            if time.monotonic() < self._known_until:
                return self._wishes
        found: dict[str, list[_Wish]] = {}
        query = sa.select(_t.c.id, _t.c.project_id, _t.c.configuration)
        for row in connection.execute(query.where(_t.c.enabled, _t.c.type == TYPE)):
            told = json.loads(row.configuration)
            wish = _Wish(row.id, told.get("kind"), frozenset(told["states"]))
            found.setdefault(row.project_id, []).append(wish)
        with self._lock:
            self._wishes, self._known_until = found, time.monotonic() + AGE
        return found
