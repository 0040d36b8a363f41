"""Callbacks: written with the execution, due with its end, gone once told.

The end of an execution makes its callback due in the same transaction (:func:`make_due`, called
by every change of state), so none is ever lost. Conductors claim due ones: a claim is a time
until which nobody else touches it, and a compare-and-set on the time before.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import sqlalchemy as sa

from funcflow import callbacks as model
from funcflow.callbacks import Callback, Kind, Stage
from funcflow.db import bulk, group
from funcflow.db.callback_tables import callbacks as table

COLUMNS = tuple(column.name for column in table.c)
_KINDS = {"TEXT": "text", "BIGINT": "int", "DOUBLE": "real"}
_INSERT = bulk.Statement(
    f"INSERT INTO callbacks AS e ({', '.join(COLUMNS)})"  # noqa: S608
    f" SELECT {', '.join(f'v.{name}' for name in COLUMNS)} FROM v WHERE true"
    " ON CONFLICT DO NOTHING RETURNING e.execution_id",
    **{column.name: _KINDS[str(column.type)] for column in table.c},
)


def insert(
    batch: group.Batch, source: model.Source, wanted: Iterable[tuple[str, str, float, model.Wanted]]
) -> None:
    """Keep what is wanted of new executions: (id, project, seconds since the epoch, wanted)."""
    rows = [
        (
            execution_id,
            each.kind.value,
            source,
            project_id,
            json.dumps(dict(each.target)),
            each.token,
            Stage.WAITING.value,
            0,
            now + each.look_after,
            None,
            now,
            None,
        )
        for execution_id, project_id, now, each in wanted
    ]
    _INSERT.run(batch.cursor, batch.dialect, rows)


_MAKE_DUE = bulk.Statement(
    "UPDATE callbacks AS e SET stage = 'due', attempts = 0, due_at = v.now, ended_at = v.now,"
    " reason = NULL FROM v WHERE e.execution_id = v.id AND e.stage = 'waiting'"
    " RETURNING e.execution_id",
    id="text",
    now="real",
)


def make_due(batch: group.Batch, execution_ids: Sequence[str]) -> None:
    """These executions ended."""
    now = time.time()
    source = [(execution_id, now) for execution_id in sorted(execution_ids)]
    _MAKE_DUE.run(batch.cursor, batch.dialect, source)


_FORGET = bulk.Statement(
    "DELETE FROM callbacks AS e USING v WHERE e.execution_id = v.id", id="text"
)


def forget(batch: group.Batch, execution_ids: Sequence[str]) -> None:
    """These executions never were."""
    _FORGET.run(batch.cursor, batch.dialect, [(each,) for each in execution_ids])


@dataclasses.dataclass(frozen=True, slots=True)
class _OnOne(group.Op[bool]):
    """A change of one callback as it was read; False: somebody else was first."""

    callback: Callback
    statement: ClassVar[bulk.Statement]

    @property
    def key(self) -> str | None:
        return f"{self.callback.kind} {self.callback.execution_id}"

    def source(self) -> bulk.Row:
        return (self.callback.execution_id, self.callback.kind.value, self.callback.due_at)

    @classmethod
    def apply(cls, batch: group.Batch, ops: Sequence[_OnOne]) -> list[bool]:
        ordered = sorted(op.source() for op in ops)
        done = {tuple(row) for row in cls.statement.run(batch.cursor, batch.dialect, ordered)}
        return [(op.callback.execution_id, op.callback.kind.value) in done for op in ops]


_SAME = "e.execution_id = v.id AND e.kind = v.kind AND e.due_at = v.before"
_ONE = {"id": "text", "kind": "text", "before": "real"}


@dataclasses.dataclass(frozen=True, slots=True)
class Claim(_OnOne):
    """Nobody else touches it until ``until``. The attempt is counted before it is made."""

    rank: ClassVar[int] = 98
    statement: ClassVar[bulk.Statement] = bulk.Statement(
        "UPDATE callbacks AS e SET due_at = v.until, attempts = e.attempts + 1"  # noqa: S608
        f" FROM v WHERE {_SAME} RETURNING e.execution_id, e.kind",
        **_ONE,
        until="real",
    )
    until: float

    def source(self) -> bulk.Row:
        return (*_OnOne.source(self), self.until)

    def claimed(self) -> Callback:
        """The callback as it is afterwards."""
        before = self.callback
        return dataclasses.replace(before, due_at=self.until, attempts=before.attempts + 1)


@dataclasses.dataclass(frozen=True, slots=True)
class Postpone(_OnOne):
    """Look at it again at ``due_at``."""

    rank: ClassVar[int] = 98
    statement: ClassVar[bulk.Statement] = bulk.Statement(
        f"UPDATE callbacks AS e SET due_at = v.due_at, reason = v.reason FROM v WHERE {_SAME}"  # noqa: S608
        " RETURNING e.execution_id, e.kind",
        **_ONE,
        due_at="real",
        reason="text",
    )
    due_at: float
    reason: str | None

    def source(self) -> bulk.Row:
        return (*_OnOne.source(self), self.due_at, self.reason)


@dataclasses.dataclass(frozen=True, slots=True)
class Bury(_OnOne):
    """Nobody can be told. It is kept to be seen, and to be told after all."""

    rank: ClassVar[int] = 98
    statement: ClassVar[bulk.Statement] = bulk.Statement(
        "UPDATE callbacks AS e SET stage = 'dead', due_at = NULL, reason = v.reason"  # noqa: S608
        f" FROM v WHERE {_SAME} RETURNING e.execution_id, e.kind",
        **_ONE,
        reason="text",
    )
    reason: str

    def source(self) -> bulk.Row:
        return (*_OnOne.source(self), self.reason)


@dataclasses.dataclass(frozen=True, slots=True)
class Told(_OnOne):
    """It was told."""

    rank: ClassVar[int] = 98
    statement: ClassVar[bulk.Statement] = bulk.Statement(
        f"DELETE FROM callbacks AS e USING v WHERE {_SAME}"  # noqa: S608
        " RETURNING e.execution_id, e.kind",
        **_ONE,
    )


_ALL = f"SELECT {', '.join(COLUMNS)} FROM callbacks"  # noqa: S608
_DUE = sa.text(f"{_ALL} WHERE due_at IS NOT NULL AND due_at <= :now ORDER BY due_at LIMIT :limit")


def due(connection: sa.Connection, now: float, limit: int) -> list[Callback]:
    """Those whose time has come, and that nobody has claimed; longest first."""
    found = connection.execute(_DUE, {"now": now, "limit": limit})
    return [_to_callback(row) for row in found]


_OF = sa.text(f"{_ALL} WHERE execution_id = :id ORDER BY kind")


def of(connection: sa.Connection, execution_id: str) -> list[Callback]:
    """Those of an execution that nobody was told of yet."""
    return [_to_callback(row) for row in connection.execute(_OF, {"id": execution_id})]


_OWN = "WHERE project_id = :project_id AND execution_id > :marker"
_LIST = {
    staged: sa.text(
        f"{_ALL} {_OWN} {'AND stage = :stage' if staged else ''}"
        " ORDER BY execution_id, kind LIMIT :limit"
    )
    for staged in (False, True)
}


def list_(
    connection: sa.Connection, project_id: str, stage: str | None, marker: str, limit: int
) -> list[Callback]:
    """Those of a project, of executions after the ``marker``; ``stage`` None: any."""
    asked = {"project_id": project_id, "marker": marker, "limit": limit}
    if stage is not None:
        asked["stage"] = stage
    return [_to_callback(row) for row in connection.execute(_LIST[stage is not None], asked)]


_REDRIVE = sa.text(
    "UPDATE callbacks SET stage = 'due', attempts = 0, due_at = :now, ended_at = :now,"
    " token = :token WHERE execution_id = :id AND stage = 'dead'"
)


def redrive(
    connection: sa.Connection, execution_id: str, now: float, token: str | None = None
) -> bool:
    """Try the dead ones of an execution again, with this (sealed) token. False: it has none."""
    asked = {"id": execution_id, "now": now, "token": token}
    return connection.execute(_REDRIVE, asked).rowcount > 0


_DELETE = sa.text("DELETE FROM callbacks WHERE execution_id = :id")


def delete(connection: sa.Connection, execution_id: str) -> None:
    """Tell nobody of an execution."""
    connection.execute(_DELETE, {"id": execution_id})


_PURGE = sa.text("DELETE FROM callbacks WHERE stage = 'dead' AND ended_at < :before")


def purge(connection: sa.Connection, before: float) -> int:
    """Forget those that died before ``before``; how many."""
    return int(connection.execute(_PURGE, {"before": before}).rowcount)


def _to_callback(row: Sequence[Any]) -> Callback:
    values = dict(zip(COLUMNS, row, strict=True))
    values["kind"], values["stage"] = Kind(values["kind"]), Stage(values["stage"])
    values["target"] = json.loads(values["target"])
    return Callback(**values)
