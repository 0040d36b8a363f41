"""Keeping what is to be told of a change of state, in the very transaction that makes it.

Used by the group commit. Who wants to be told is remembered until somebody announces a change,
or for a moment, so that those of whom nobody wants to know pay nothing.
"""

from __future__ import annotations

import dataclasses
import json
import threading
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from funcflow import states, subscriptions
from funcflow.db import bulk, facts, group
from funcflow.db.subscription_tables import subscriptions as table

#: Seconds that what is known is good for.
AGE: Final = 1.0
#: Stands for every project.
_EVERYBODY: Final = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Wish:
    """What is to be told on one lane. ``kind`` and ``target_id`` None: of whatever."""

    lane: str
    kind: str | None
    target_id: str | None
    states: frozenset[str]
    #: How many lanes share it, by the execution's id; 0: it is the one.
    slots: int = 0

    def covers(self, change: group.Change) -> bool:
        return change.state in self.states and self.kind in (None, change.kind)

    def lane_of(self, execution_id: str) -> str:
        if not self.slots:
            return self.lane
        return f"{self.lane}.{zlib.crc32(execution_id.encode()) % self.slots}"


def standing(executions: str, usage: bool) -> tuple[Wish, ...]:
    """The operator's own wishes. ``executions``: none, ends or all."""
    made = []
    if executions != "none":
        told = subscriptions.STATES if executions == "all" else subscriptions.ENDS
        made.append(
            Wish(subscriptions.EXECUTIONS, None, None, frozenset(told), subscriptions.SLOTS)
        )
    if usage:
        # What is dead may run again; it has not finished.
        done = frozenset(state.value for state in states.SETTLED)
        made.append(Wish(subscriptions.USAGE, "function", None, done, subscriptions.SLOTS))
    return tuple(made)


class Watchers:
    """Everybody who wants to be told, as far as known here. Thread-safe."""

    def __init__(self, always: Sequence[Wish] = ()) -> None:
        """:param always: wishes about all projects"""
        self._always = {_EVERYBODY: list(always)} if always else {}
        self._lock = threading.Lock()
        self._known_until = 0.0
        self._wishes: Mapping[str, Sequence[Wish]] = {}

    def forget(self) -> None:
        """Subscriptions changed somewhere."""
        with self._lock:
            self._known_until = 0.0

    def write(self, batch: group.Batch) -> None:
        """Keep a notice for each lane on which one of the batch's changes is to be told."""
        wishes = self._read(batch.connection)
        if not wishes:
            return
        # A run that another conductor took over is where it was.
        changes = [change for change in batch.changes if change.previous != change.state]
        pairs = [(change, wish) for change in changes for wish in _about(change, wishes)]
        if not pairs:
            return
        known: dict[str, dict[str, Any]] = {}
        for kind in ("function", "composition"):
            found = {change.id for change, _ in pairs if change.kind == kind}
            known |= facts.of(batch, kind, sorted(found))
        _INSERT.run(batch.cursor, batch.dialect, list(_notices(pairs, known)))

    def _read(self, connection: sa.Connection) -> Mapping[str, Sequence[Wish]]:
        if time.monotonic() < self._known_until:
            return self._wishes
        query = sa.select(table.c.id, table.c.project_id, table.c.kind, table.c.target_id,
                          table.c.states).where(table.c.enabled)  # fmt: skip
        found: dict[str, list[Wish]] = dict(self._always)
        for row in connection.execute(query):
            wish = Wish(row.id, row.kind, row.target_id, frozenset(json.loads(row.states)))
            found.setdefault(row.project_id, []).append(wish)
        with self._lock:
            self._wishes, self._known_until = found, time.monotonic() + AGE
        return found


_INSERT = bulk.Statement(
    "INSERT INTO notices AS e (lane, project_id, execution_id, kind, state, previous, facts, stage,"
    " attempts, due_at, created_at) SELECT v.lane, v.project_id, v.execution_id, v.kind, v.state,"
    " v.previous, v.facts, 'due', 0, 0, v.created_at FROM v WHERE true",
    lane="text",
    project_id="text",
    execution_id="text",
    kind="text",
    state="text",
    previous="text",
    facts="text",
    created_at="real",
)


def _about(change: group.Change, wishes: Mapping[str, Sequence[Wish]]) -> Iterator[Wish]:
    for project_id in (change.project_id, _EVERYBODY):
        for wish in wishes.get(project_id, ()):
            if wish.covers(change):
                yield wish


def _notices(
    pairs: Sequence[tuple[group.Change, Wish]], known: Mapping[str, Mapping[str, Any]]
) -> Iterator[bulk.Row]:
    now = time.time()
    for change, wish in pairs:
        told = known.get(change.id)
        # Gone again in this very batch: it never was.
        if told is None or wish.target_id not in (None, told[f"{change.kind}_id"]):
            continue
        yield (
            wish.lane_of(change.id),
            change.project_id,
            change.id,
            change.kind,
            change.state,
            change.previous,
            json.dumps(told),
            now,
        )
