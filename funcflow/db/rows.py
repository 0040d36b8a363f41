"""Executions as rows, and back; shared by their operations and queries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from funcflow import models, states
from funcflow.db import tables

#: Every column that a model has, in the order of the table.
COLUMNS = tuple(c.name for c in tables.executions.c if c.name not in ("posted", "callback"))
SELECT = ", ".join(COLUMNS)
RETURNING = ", ".join(f"e.{name}" for name in COLUMNS)

_KINDS = {"TEXT": "text", "BIGINT": "int", "DOUBLE": "real", "BOOLEAN": "bool"}
#: For :class:`funcflow.db.bulk.Statement`.
KINDS = {column.name: _KINDS[str(column.type)] for column in tables.executions.c}

#: As :data:`SELECT`, but without what may be large.
LIGHT = ", ".join(
    f"NULL AS {name}" if name in ("input", "output", "error") else name for name in COLUMNS
)


def from_execution(
    execution: models.Execution, posted: bool, callback: bool = False
) -> tuple[Any, ...]:
    """All columns, in order."""
    e, usage = execution, execution.usage
    return (
        e.id,
        e.project_id,
        e.function_id,
        e.function_version,
        e.function_alias,
        e.revision,
        e.shard,
        e.description,
        e.sync,
        e.state.value,
        e.input,
        e.output,
        error_text(e.error),
        e.reason,
        e.attempts,
        e.epoch,
        e.owner,
        e.not_before,
        e.expires_at,
        e.idempotency_key,
        e.request_id,
        e.traceparent,
        usage.queue,
        usage.startup,
        usage.run,
        usage.cpu,
        usage.memory_peak,
        usage.worker,
        usage.cold,
        e.created_at,
        e.started_at,
        e.finished_at,
        e.created_at if e.updated_at is None else e.updated_at,
        posted,
        e.parent_id,
        e.parent_command,
        e.trust_id,
        callback,
        e.user_id,
        e.hidden,
    )


def to_execution(row: Sequence[Any]) -> models.Execution:
    """From the columns of :data:`SELECT`, in order."""
    return models.Execution(
        id=row[0],
        project_id=row[1],
        function_id=row[2],
        function_version=row[3],
        function_alias=row[4],
        revision=row[5],
        shard=row[6],
        description=row[7],
        sync=bool(row[8]),
        state=states.State(row[9]),
        input=row[10],
        output=row[11],
        error=_to_error(row[12]),
        reason=row[13],
        attempts=row[14],
        epoch=row[15],
        owner=row[16],
        not_before=row[17],
        expires_at=row[18],
        idempotency_key=row[19],
        request_id=row[20],
        traceparent=row[21],
        usage=models.Usage(
            queue=row[22],
            startup=row[23],
            run=row[24],
            cpu=row[25],
            memory_peak=row[26],
            worker=row[27],
            cold=bool(row[28]),
        ),
        created_at=row[29],
        started_at=row[30],
        finished_at=row[31],
        updated_at=row[32],
        parent_id=row[33],
        parent_command=row[34],
        trust_id=row[35],
        user_id=row[36],
        hidden=bool(row[37]),
    )


def error_text(error: models.FunctionError | None) -> str | None:
    """As JSON text; characters a database cannot keep are escaped by JSON."""
    if error is None:
        return None
    return json.dumps({"type": error.type, "message": error.message, "trace": error.trace})


def _to_error(text: str | None) -> models.FunctionError | None:
    if text is None:
        return None
    value = json.loads(text)
    return models.FunctionError(
        type=value["type"], message=value["message"], trace=tuple(value["trace"])
    )


def clean(text: str) -> str:
    """Text of user code as any database can keep it: no NUL, no lone surrogates."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
