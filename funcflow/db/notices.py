"""Notices: what is still to be told, by lane, and who tells it now.

Written by :mod:`funcflow.db.watchers` with the change itself. A conductor claims a lane, which is
all that goes to one destination, for a while: a claim is a time until which nobody else touches
it, and a compare-and-set on the time before. So what is told of one execution stays in order.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any, ClassVar

import sqlalchemy as sa

from funcflow.db import bulk, group
from funcflow.db.subscription_tables import notices as table
from funcflow.subscriptions import Lane, Notice, Stage

_FIELDS = ", ".join(column.name for column in table.c)
_LANES = sa.text(
    "SELECT l.id, l.due_at, l.attempts FROM notice_lanes AS l"
    " LEFT JOIN subscriptions AS s ON s.id = l.id"
    " WHERE l.due_at <= :now AND (s.enabled OR l.id IN :own)"
    " AND EXISTS (SELECT 1 FROM notices AS n WHERE n.lane = l.id AND n.stage = 'due')"
    " ORDER BY l.due_at LIMIT :limit"
).bindparams(sa.bindparam("own", expanding=True, type_=sa.Text))


def lanes(
    connection: sa.Connection, now: float, limit: int, own: Collection[str] = ()
) -> list[Lane]:
    """Lanes with something to be told that nobody has claimed; those that wait longest first.

    :param own: those of the operator that are to be served
    """
    found = connection.execute(_LANES, {"now": now, "limit": limit, "own": list(own)})
    return [Lane(id=row.id, due_at=row.due_at, attempts=row.attempts) for row in found]


_ENSURE = sa.text(
    "INSERT INTO notice_lanes (id, due_at, attempts) VALUES (:id, 0, 0) ON CONFLICT DO NOTHING"
)


def ensure(connection: sa.Connection, lane_ids: Iterable[str]) -> None:
    """These lanes, which are no subscription's, are there."""
    for lane_id in lane_ids:
        connection.execute(_ENSURE, {"id": lane_id})


@dataclasses.dataclass(frozen=True, slots=True)
class Claim(group.Op[bool]):
    """Take, keep or give back a lane: nobody else touches it until ``until``. False: somebody
    else was first."""

    lane: Lane
    until: float
    attempts: int = 0
    rank: ClassVar[int] = 96
    _STATEMENT: ClassVar[bulk.Statement] = bulk.Statement(
        "UPDATE notice_lanes AS e SET due_at = v.until, attempts = v.attempts FROM v"
        " WHERE e.id = v.id AND e.due_at = v.before RETURNING e.id",
        id="text",
        before="real",
        until="real",
        attempts="int",
    )

    @property
    def key(self) -> str | None:
        return f"lane {self.lane.id}"

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Claim]) -> list[bool]:
        source = sorted((op.lane.id, op.lane.due_at, op.until, op.attempts) for op in ops)
        done = {row[0] for row in cls._STATEMENT.run(batch.cursor, batch.dialect, source)}
        return [op.lane.id in done for op in ops]

    def claimed(self) -> Lane:
        """The lane as it is afterwards."""
        return Lane(id=self.lane.id, due_at=self.until, attempts=self.attempts)


_DUE = sa.text(
    f"SELECT {_FIELDS} FROM notices WHERE lane = :lane AND stage = 'due'"  # noqa: S608
    " ORDER BY id LIMIT :limit"
)


def due(connection: sa.Connection, lane_id: str, limit: int) -> list[Notice]:
    """The oldest ones of a lane, also those whose time has not come."""
    found = connection.execute(_DUE, {"lane": lane_id, "limit": limit})
    return [to_notice(row) for row in found]


@dataclasses.dataclass(frozen=True, slots=True)
class Told(group.Op[None]):
    """These were told."""

    ids: tuple[int, ...]
    rank: ClassVar[int] = 97
    _STATEMENT: ClassVar[bulk.Statement] = bulk.Statement(
        "DELETE FROM notices AS e USING v WHERE e.id = v.id", id="int"
    )

    @property
    def weight(self) -> int:
        return len(self.ids)

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Told]) -> list[None]:
        source = sorted((each,) for op in ops for each in op.ids)
        cls._STATEMENT.run(batch.cursor, batch.dialect, source)
        return [None for _ in ops]


@dataclasses.dataclass(frozen=True, slots=True)
class Failed(group.Op[None]):
    """One was not told: it is tried again at ``due_at``; None: it is dead."""

    notice_id: int
    due_at: float | None
    reason: str
    rank: ClassVar[int] = 98
    _STATEMENT: ClassVar[bulk.Statement] = bulk.Statement(
        "UPDATE notices AS e SET attempts = e.attempts + 1, stage = v.stage, due_at = v.due_at,"
        " reason = v.reason FROM v WHERE e.id = v.id AND e.stage = 'due'",
        id="int",
        stage="text",
        due_at="real",
        reason="text",
    )

    @property
    def key(self) -> str | None:
        return f"notice {self.notice_id}"

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Failed]) -> list[None]:
        source = sorted(
            (op.notice_id, (Stage.DEAD if op.due_at is None else Stage.DUE).value,
             op.due_at or 0.0, op.reason)
            for op in ops
        )  # fmt: skip
        cls._STATEMENT.run(batch.cursor, batch.dialect, source)
        return [None for _ in ops]


_LIST = sa.text(
    f"SELECT {_FIELDS} FROM notices WHERE lane = :lane AND stage = :stage AND id > :marker"  # noqa: S608
    " ORDER BY id LIMIT :limit"
)


def list_(
    connection: sa.Connection, lane_id: str, stage: Stage, marker: int, limit: int
) -> list[Notice]:
    """Those of a lane after the ``marker``."""
    asked = {"lane": lane_id, "stage": stage.value, "marker": marker, "limit": limit}
    return [to_notice(row) for row in connection.execute(_LIST, asked)]


_COUNT = sa.text(
    "SELECT COUNT(*) FROM (SELECT 1 FROM notices WHERE lane = :lane AND stage = 'due'"
    " LIMIT :limit) AS found"
)


def waiting(connection: sa.Connection, lane_id: str, limit: int) -> int:
    """How many of a lane are still to be told; as far as ``limit``."""
    asked = {"lane": lane_id, "limit": limit}
    return int(connection.execute(_COUNT, asked).scalar_one())


_REDRIVE = sa.text(
    "UPDATE notices SET stage = 'due', attempts = 0, due_at = 0, created_at = :now"
    " WHERE lane = :lane AND stage = 'dead'"
)


def redrive(connection: sa.Connection, lane_id: str, now: float) -> int:
    """Try the dead ones of a lane again, with a fresh age; how many."""
    asked = {"lane": lane_id, "now": now}
    return int(connection.execute(_REDRIVE, asked).rowcount)


_FORGET = sa.text("DELETE FROM notices WHERE lane = :lane AND stage = 'dead'")


def forget(connection: sa.Connection, lane_id: str) -> int:
    """Tell nobody of the dead ones of a lane; how many."""
    return int(connection.execute(_FORGET, {"lane": lane_id}).rowcount)


_PURGE = sa.text("DELETE FROM notices WHERE created_at < :before")


def purge(connection: sa.Connection, before: float) -> int:
    """Forget those that are older, whatever became of them; how many."""
    return int(connection.execute(_PURGE, {"before": before}).rowcount)


def to_notice(row: Any) -> Notice:
    """From a whole row."""
    return Notice(
        id=row.id,
        lane=row.lane,
        project_id=row.project_id,
        execution_id=row.execution_id,
        kind=row.kind,
        state=row.state,
        previous=row.previous,
        facts=json.loads(row.facts),
        stage=Stage(row.stage),
        attempts=row.attempts,
        due_at=row.due_at,
        reason=row.reason,
        created_at=row.created_at,
    )
