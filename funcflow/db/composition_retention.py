"""How executions of compositions go for good: operations for the group commit.

Used through :mod:`funcflow.db.composition_executions`; see :mod:`funcflow.db.garbage` for
definitions and stored payloads.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import sqlalchemy as sa

from funcflow.db import bulk, group
from funcflow.db import composition_rows as rows
from funcflow.states import CompositionState as State

#: Signals that one purge deletes at most, but for the first execution's.
_SIGNALS = 5_000

_FORGET = tuple(
    bulk.Statement(f"DELETE FROM {table} AS e USING v WHERE e.execution_id = v.id", id="text")  # noqa: S608
    for table in (
        "composition_signals",
        "composition_inbox",
        "composition_heartbeats",
        "composition_payloads",
        "approvals",
    )
)


def forget(batch: group.Batch, ids: Sequence[str]) -> None:
    """Delete what belongs to executions that are gone."""
    for statement in _FORGET:
        statement.run(batch.cursor, batch.dialect, [(key,) for key in ids])


_DISCARD = bulk.Statement(
    "DELETE FROM composition_executions AS e USING v WHERE e.id = v.id"
    " AND e.state IN ('succeeded', 'failed', 'timed_out', 'aborted', 'dead')"
    " RETURNING e.id, e.project_id, e.state",
    id="text",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Discard(rows.OnComposition[bool]):
    """Delete an execution that ended or is dead, with its log. False: it is neither.

    A discarded dead one counts as settled from then on.
    """

    rank: ClassVar[int] = 196
    id: str

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Discard]) -> list[bool]:
        rows.hold(batch)
        gone = _DISCARD.run(batch.cursor, batch.dialect, [(op.id,) for op in ops])
        for _, project_id, state in gone:
            if state == State.DEAD:
                batch.counts.compositions.move(project_id, State.DEAD, State.FAILED)
        forget(batch, [row[0] for row in gone])
        kept = rows.looks.rows(batch, [op.id for op in ops])
        return [op.id not in kept for op in ops]


_OLD = sa.text(
    "SELECT id, sequence FROM composition_executions"
    " WHERE finished_at IS NOT NULL AND finished_at < :before ORDER BY finished_at LIMIT :limit"
)
_PURGE = bulk.Statement(
    "DELETE FROM composition_executions AS e USING v WHERE e.id = v.id"
    " AND e.finished_at < v.before RETURNING e.id",
    id="text",
    before="real",
)


@dataclasses.dataclass(frozen=True, slots=True)
class PurgeSettled(group.Op[int]):
    """Delete up to ``limit`` executions that ended before ``before``, oldest first, with their
    logs; how many went. Fewer than ``limit`` when their logs are long; 0: none was left. The
    tallies keep counting them."""

    rank: ClassVar[int] = 197
    before: float
    limit: int

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[PurgeSettled]) -> list[int]:
        counts = []
        for op in ops:
            asked = {"before": op.before, "limit": op.limit}
            signals = 0
            old: list[tuple[str, float]] = []
            for key, sequence in batch.connection.execute(_OLD, asked).all():
                signals += sequence
                if old and signals > _SIGNALS:
                    break
                old.append((key, op.before))
            gone = [row[0] for row in _PURGE.run(batch.cursor, batch.dialect, old)]
            forget(batch, gone)
            counts.append(len(gone))
        return counts
