"""Changes of state as SQL, for the executions of functions and of compositions.

Used by the modules of moves. Every change of state is one :class:`Move`, a compare-and-set from
one state to one other, checked against :mod:`funcflow.states` when it is made. Each operation
may be applied again: what already took is seen by a second look and answered as the first time.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Collection, Sequence
from typing import Any, ClassVar, Generic, Literal, TypeVar

from funcflow.db import bulk, callbacks, destinations, group, tallies

T = TypeVar("T")
M = TypeVar("M")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Life(Generic[M]):
    """A noun whose rows have states."""

    #: How parents are told of it.
    kind: Literal["function", "composition"]
    table: str
    columns: tuple[str, ...]
    to_model: Callable[[Sequence[Any]], M]
    allowed: Callable[[Any, Any], bool]
    #: What a run may end as.
    outcomes: Collection[str]
    #: States that a parent is told of.
    ended: Collection[str]
    tally: Callable[[tallies.Counts], tallies.Tally]


class OnOne(group.Op[T], Generic[T, M]):
    """An operation on the one row ``id``."""

    __slots__ = ()
    id: str

    @property
    def key(self) -> str | None:
        return self.id

    def source(self) -> bulk.Row:
        """The values its moves need: the id, then their columns in order."""
        raise TypeError(f"{type(self).__name__} makes no move")

    def took(self, now: M) -> bool:
        """Whether the row, as it is now, shows that this very operation took before."""
        return False


OpT = TypeVar("OpT", bound=OnOne[Any, Any])


class Move(Generic[M]):
    """One line of a table of transitions, as SQL.

    ``after`` None: the row's new state is the source's column ``state``, an outcome of a run.
    Gives back the id, the project, the state, the parent and its command, then columns in
    ``more`` (separated by spaces); ``*``: whole rows instead.
    """

    all: ClassVar[list[Move[Any]]] = []

    def __init__(
        self,
        life: Life[M],
        before: str,
        after: str | None,
        change: str,
        guard: str = "",
        *,
        more: str = "",
        **columns: str,
    ) -> None:
        self.life, self.before = life, before
        self.targets = set(life.outcomes) if after is None else {after}
        for target in self.targets:
            if not life.allowed(before, target):
                raise ValueError(f"an execution cannot go from {before} to {target}")
        state = "v.state" if after is None else f"'{after}'"
        brief = ("id", "project_id", "state", "parent_id", "parent_command", *more.split())
        returned = (*(life.columns if more == "*" else brief), "callback")
        self._statement = bulk.Statement(
            f"UPDATE {life.table} AS e SET state = {state}, {change} FROM v"  # noqa: S608
            f" WHERE e.id = v.id AND e.state = '{before}' {guard}"
            f" RETURNING {', '.join(f'e.{name}' for name in returned)}",
            id="text",
            **columns,
        )
        self._state, self._parent, self._command = map(
            returned.index, ("state", "parent_id", "parent_command")
        )
        self.all.append(self)

    def run(self, batch: group.Batch, source: Sequence[bulk.Row]) -> dict[str, bulk.Row]:
        """The rows that moved, by id. ``source``: the id, then the columns."""
        moved: dict[str, bulk.Row] = {}
        called: list[str] = []
        tally = self.life.tally(batch.counts)
        for row in self._statement.run(batch.cursor, batch.dialect, source):
            moved[row[0]] = row[:-1]
            tally.move(row[1], self.before, row[self._state])
            batch.changed.append((self.life.kind, row[0], row[1], self.before, row[self._state]))
            if row[self._state] not in self.life.ended:
                continue
            if row[self._parent] is None:
                end = destinations.Ended(self.life.kind, row[0], row[1], row[self._state])
                batch.ended.append(end)
            else:
                entry = ended(self.life.kind, row[0], row[self._command])
                batch.endings.setdefault(row[self._parent], []).append(entry)
            if row[-1]:
                called.append(row[0])
        if called:
            callbacks.make_due(batch, called)
        return moved


def ended(kind: str, execution_id: str, command: int) -> str:
    """What a parent's inbox gets."""
    return json.dumps({"type": "Ended", "id": command, "execution_id": execution_id, "kind": kind})


class Looks(Generic[M]):
    """Whole rows as they are now."""

    def __init__(self, life: Life[M]) -> None:
        self._life = life
        self._query = bulk.Lookup(
            f"SELECT {', '.join(life.columns)} FROM {life.table} WHERE id IN keys"  # noqa: S608
        )

    def rows(self, batch: group.Batch, ids: Sequence[str]) -> dict[str, bulk.Row]:
        """By id."""
        return {row[0]: row for row in self._query.run(batch.cursor, batch.dialect, ids)}

    def apply(
        self, batch: group.Batch, ops: Sequence[OpT], *moves: Move[M]
    ) -> list[bulk.Row | None]:
        """Try the moves one after the other; what none took may have taken before. None: no."""
        done: dict[str, bulk.Row] = {}
        left = ops
        for move in moves:
            if left:
                done |= move.run(batch, [op.source() for op in left])
                left = [op for op in left if op.id not in done]
        return self.again(batch, ops, done)

    def again(
        self, batch: group.Batch, ops: Sequence[OpT], done: dict[str, bulk.Row]
    ) -> list[bulk.Row | None]:
        """The rows of all operations, those that took in an earlier try included."""
        left = [op for op in ops if op.id not in done]
        now = self.rows(batch, [op.id for op in left])
        for op in left:
            if op.id in now and op.took(self._life.to_model(now[op.id])):
                done[op.id] = now[op.id]
        return [done.get(op.id) for op in ops]
