"""What functions printed, in pieces.

Written with the outcome or on the way by conductors; read by the API.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import ClassVar

import sqlalchemy as sa

from funcflow import models
from funcflow.db import bulk, group, rows

_INSERT = bulk.Statement(
    "INSERT INTO logs AS e (execution_id, seq, stream, text, at)"
    " SELECT v.execution_id, v.seq, v.stream, v.text, v.at FROM v WHERE true"
    " ON CONFLICT (execution_id, seq) DO NOTHING",
    execution_id="text",
    seq="int",
    stream="text",
    text="text",
    at="real",
)
_READ = sa.text(
    "SELECT stream, text, at, seq FROM logs"
    " WHERE execution_id = :id AND seq > :after ORDER BY seq LIMIT :limit"
)

#: Before the first chunk.
START = -1


@dataclasses.dataclass(frozen=True, slots=True)
class AppendLogs(group.Op[None]):
    """Keep chunks while the run goes on. A sequence number that is there already is left
    as it is, so later attempts must number on."""

    rank: ClassVar[int] = 40
    execution_id: str
    chunks: tuple[models.LogChunk, ...]

    @property
    def key(self) -> str | None:
        return self.execution_id

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[AppendLogs]) -> list[None]:
        write(batch, ((op.execution_id, op.chunks) for op in ops))
        return [None for _ in ops]


def write(batch: group.Batch, logs: Iterable[tuple[str, Sequence[models.LogChunk]]]) -> None:
    """Add chunks of several executions, in the batch's transaction."""
    source = [
        (execution_id, chunk.seq, chunk.stream, rows.clean(chunk.text), chunk.at)
        for execution_id, chunks in logs
        for chunk in chunks
    ]
    _INSERT.run(batch.cursor, batch.dialect, source)


def read(
    connection: sa.Connection, execution_id: str, after_seq: int = START, limit: int = 10_000
) -> list[models.LogChunk]:
    """Chunks after ``after_seq``, in order, at most ``limit``."""
    parameters = {"id": execution_id, "after": after_seq, "limit": limit}
    found = connection.execute(_READ, parameters)
    return [models.LogChunk(*row) for row in found]
