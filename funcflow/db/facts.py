"""What is known of executions at a change of state, but for what they were given and gave back.

Used by :mod:`funcflow.db.watchers` inside the transaction of the change: what is told later is
what was true then.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from funcflow.db import bulk, group

_COMMON: Final = (
    "id", "attempts", "reason", "traceparent", "request_id", "created_at", "started_at",
    "finished_at", "updated_at", "parent_id", "error",
)  # fmt: skip
_FUNCTION: Final = {
    **{name: f"e.{name}" for name in _COMMON},
    "function_id": "e.function_id",
    "function_name": "f.name",
    "function_version": "e.function_version",
    "function_alias": "e.function_alias",
    #: Whose function it is; the execution is its caller's.
    "function_project_id": "r.project_id",
    "user_id": "e.user_id",
    "memory_size": "r.memory_size",
    "queue": "e.usage_queue",
    "startup": "e.usage_startup",
    "run": "e.usage_run",
    "cpu": "e.usage_cpu",
    "memory_peak": "e.usage_memory_peak",
}
_COMPOSITION: Final = {
    **{name: f"e.{name}" for name in _COMMON},
    "composition_id": "e.composition_id",
    "composition_name": "c.name",
    "composition_version": "e.composition_version",
    "composition_alias": "e.composition_alias",
    "name": "e.name",
    "cause": "e.cause",
}
_FUNCTIONS = bulk.Lookup(
    f"SELECT {', '.join(_FUNCTION.values())} FROM executions AS e"  # noqa: S608
    " LEFT JOIN revisions AS r ON r.function_id = e.function_id AND r.number = e.revision"
    " LEFT JOIN functions AS f ON f.id = e.function_id WHERE e.id IN keys"
)
_COMPOSITIONS = bulk.Lookup(
    f"SELECT {', '.join(_COMPOSITION.values())} FROM composition_executions AS e"  # noqa: S608
    " LEFT JOIN compositions AS c ON c.id = e.composition_id WHERE e.id IN keys"
)


def of(batch: group.Batch, kind: str, execution_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """By id. ``error`` is {"type", "message"} or None; times are seconds since the epoch."""
    lookup, names = (_FUNCTIONS, _FUNCTION) if kind == "function" else (_COMPOSITIONS, _COMPOSITION)
    found = {}
    for row in lookup.run(batch.cursor, batch.dialect, execution_ids):
        told = dict(zip(names, row, strict=True))
        error, cause = told["error"], told.pop("cause", None)
        if error is not None and kind == "function":
            said = json.loads(error)
            told["error"] = {"type": said["type"], "message": said["message"]}
        elif error is not None:
            told["error"] = {"type": error, "message": cause}
        found[told["id"]] = told
    return found
