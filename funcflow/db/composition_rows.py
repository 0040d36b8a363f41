"""Executions of compositions as rows, and back; and what their operations have in common."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, TypeVar

from funcflow import models, references, states
from funcflow.db import bulk, composition_tables, group, lives, revisions

T = TypeVar("T")

_t = composition_tables.composition_executions.c
#: Every column that a model has, in the order of the table.
COLUMNS = tuple(c.name for c in _t if c.name not in ("posted", "callback"))
_KINDS = {"TEXT": "text", "BIGINT": "int", "DOUBLE": "real", "BOOLEAN": "bool"}
#: For :class:`funcflow.db.bulk.Statement`.
KINDS = {column.name: _KINDS[str(column.type)] for column in _t}
#: As :data:`COLUMNS`, but without what may be large.
LIGHT = tuple(f"NULL AS {name}" if name in ("input", "output") else name for name in COLUMNS)
_FLAGS = {name: COLUMNS.index(name) for name in ("paused", "borrowed", "hidden")}
_STATE = COLUMNS.index("state")


def from_execution(
    execution: models.CompositionExecution, posted: bool, callback: bool = False
) -> bulk.Row:
    """All columns, in order."""
    e = execution
    values: dict[str, Any] = {name: getattr(e, name) for name in COLUMNS}
    values["state"] = e.state.value
    values["updated_at"] = e.created_at if e.updated_at is None else e.updated_at
    if e.wake_at is None and e.state is states.CompositionState.QUEUED:
        values["wake_at"] = e.created_at
    last = (posted, callback, values.pop("borrowed"), values.pop("hidden"))
    return (*values.values(), *last)


def to_execution(row: Sequence[Any]) -> models.CompositionExecution:
    """From the columns of :data:`COLUMNS`, in order."""
    values = dict(zip(COLUMNS, row, strict=True))
    values["state"] = states.CompositionState(row[_STATE])
    for name, place in _FLAGS.items():
        values[name] = bool(row[place])
    return models.CompositionExecution(**values)


LIFE = lives.Life(
    kind="composition",
    table="composition_executions",
    columns=COLUMNS,
    to_model=to_execution,
    allowed=states.composition_allowed,
    outcomes=states.COMPOSITION_SETTLED,
    ended=states.COMPOSITION_SETTLED | {states.CompositionState.DEAD},
    tally=lambda counts: counts.compositions,
)
looks = lives.Looks(LIFE)


class Changes(group.Op[T]):
    """An operation that changes rows that are there: those of ``ids``, and (``ends``) those of
    their parents."""

    __slots__ = ()

    @property
    def ends(self) -> bool:
        return False

    @property
    def changed(self) -> Collection[str]:
        raise TypeError(f"{type(self).__name__} does not say what it changes")


class OnComposition(Changes[T], lives.OnOne[T, models.CompositionExecution]):
    """An operation on the one composition execution ``id``."""

    __slots__ = ()

    @property
    def changed(self) -> Collection[str]:
        return (self.id,)


_HOLD = (
    "SELECT id FROM composition_executions WHERE id = ANY(ARRAY("
    "SELECT unnest(%s::text[]) UNION SELECT parent_id FROM composition_executions"
    " WHERE id = ANY(%s) AND parent_id IS NOT NULL)) ORDER BY id FOR NO KEY UPDATE"
)


def hold(batch: group.Batch) -> None:
    """Lock all rows that the batch is going to change, once, in one order everywhere: batches
    of two processes that change the same rows would wait for each other otherwise.

    Every operation calls this before it changes anything.
    """
    if batch.held or batch.dialect != "postgresql":
        return
    batch.held = True
    ids, parents = set(batch.endings), set[str]()
    for op in batch.ops:
        if isinstance(op, Changes):
            ids.update(op.changed)
            if op.ends:
                parents.update(op.changed)
    if len(ids) + len(parents) > 1:
        batch.cursor.execute(_HOLD, (list(ids), list(parents)))


_STATES_LOCKED = (
    "SELECT id, state FROM composition_executions WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
)
_STATES = bulk.Lookup("SELECT id, state FROM composition_executions WHERE id IN keys")


def states_of(batch: group.Batch, ids: Collection[str]) -> dict[str, str]:
    """The states of these, which nobody else changes until the transaction ends."""
    if batch.dialect == "postgresql":
        batch.cursor.execute(_STATES_LOCKED, (list(ids),))
        return dict(batch.cursor.fetchall())
    return dict(_STATES.run(batch.cursor, batch.dialect, list(ids)))


_KEEP = bulk.Statement(
    "INSERT INTO composition_payloads AS e (execution_id, digest)"
    " SELECT v.execution_id, v.digest FROM v WHERE true"
    " ON CONFLICT (execution_id, digest) DO NOTHING",
    execution_id="text",
    digest="text",
)


def keep_payloads(batch: group.Batch, texts: Iterable[tuple[str, str | None]]) -> None:
    """Note which stored texts executions refer to, given pairs of execution id and text."""
    found = {(key, digest) for key, text in texts if (digest := references.digest_of(text))}
    for digest in sorted({digest for _, digest in found}):
        revisions.hold_package(batch.connection, digest)
    _KEEP.run(batch.cursor, batch.dialect, sorted(found))


def weight(texts: Iterable[str | None]) -> int:
    """Of an operation with these texts: a batch of large ones is short."""
    return 1 + sum(len(text) for text in texts if text) // 8192
