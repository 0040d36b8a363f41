"""How executions go for good: operations for the group commit.

Used through :mod:`funcflow.db.executions`; see :mod:`funcflow.db.garbage` for packages.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import sqlalchemy as sa

from funcflow.db import bulk, group, moves
from funcflow.states import State

_DISCARD = bulk.Statement(
    "DELETE FROM executions AS e USING v WHERE e.id = v.id"
    " AND e.state IN ('succeeded', 'failed', 'cancelled', 'lost', 'dead')"
    " RETURNING e.id, e.project_id, e.state",
    id="text",
)
_DISCARD_LOGS = bulk.Statement(
    "DELETE FROM logs AS e USING v WHERE e.execution_id = v.id RETURNING e.seq", id="text"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Discard(moves.OnExecution[bool]):
    """Delete an execution that is settled or dead, with its logs. False: it is neither.

    A discarded dead one counts as settled from then on.
    """

    rank: ClassVar[int] = 96
    id: str

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[Discard]) -> list[bool]:
        source = [(op.id,) for op in ops]
        gone = _DISCARD.run(batch.cursor, batch.dialect, source)
        for _, project_id, state in gone:
            if state == State.DEAD:
                batch.counts.executions.move(project_id, State.DEAD, State.FAILED)
        _DISCARD_LOGS.run(batch.cursor, batch.dialect, [(row[0],) for row in gone])
        kept = moves.look(batch, [op.id for op in ops])
        return [op.id not in kept for op in ops]


_PURGE = sa.text(
    "DELETE FROM executions WHERE id IN (SELECT id FROM executions"
    " WHERE finished_at IS NOT NULL AND finished_at < :before"
    " ORDER BY finished_at LIMIT :limit) RETURNING id"
)


@dataclasses.dataclass(frozen=True, slots=True)
class PurgeSettled(group.Op[int]):
    """Delete up to ``limit`` executions settled before ``before``, oldest first, with their
    logs; how many went. The tallies keep counting them."""

    rank: ClassVar[int] = 97
    before: float
    limit: int

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[PurgeSettled]) -> list[int]:
        counts = []
        for op in ops:
            asked = {"before": op.before, "limit": op.limit}
            gone = batch.connection.execute(_PURGE, asked).all()
            _DISCARD_LOGS.run(batch.cursor, batch.dialect, [(row[0],) for row in gone])
            counts.append(len(gone))
        return counts
