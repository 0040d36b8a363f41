"""Callbacks on the wire."""

from __future__ import annotations

from typing import Any

from funcflow.api.schemas import common
from funcflow.callbacks import Callback, Kind, Stage

_UUID = {"type": "string", "pattern": "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"}
_KIND = {"enum": [str(kind) for kind in Kind]}
STAGE = {"enum": [str(stage) for stage in Stage]}
#: What is asked for with an execution.
WANTED = {
    "type": "object",
    "title": "CallbackWanted",
    "description": "Who is told, once, how an asynchronous execution ended: an asynchronous "
    "action of Mistral, and the workflow execution it is of.",
    "properties": {
        "kind": _KIND,
        "action_execution_id": _UUID,
        "workflow_execution_id": _UUID,
    },
    "required": ["kind", "action_execution_id"],
    "additionalProperties": False,
}
CALLBACK = common.shape(
    {
        "execution_id": common.ID,
        "of": {"enum": ["function", "composition"]},
        "kind": _KIND,
        "target": {"type": "object", "additionalProperties": common.STRING},
        "stage": STAGE,
        "attempts": common.INTEGER,
        "reason": common.MAYBE_STRING,
        "due_at": common.MAYBE_TIME,
        "created_at": common.TIME,
        "ended_at": common.MAYBE_TIME,
    },
    "Callback",
)
PAGE = common.page("callbacks", CALLBACK)


def view(callback: Callback) -> dict[str, Any]:
    return {
        "execution_id": callback.execution_id,
        "of": callback.source,
        "kind": callback.kind.value,
        "target": dict(callback.target),
        "stage": callback.stage.value,
        "attempts": callback.attempts,
        "reason": callback.reason,
        "due_at": common.maybe_utc(callback.due_at),
        "created_at": common.utc(callback.created_at),
        "ended_at": common.maybe_utc(callback.ended_at),
    }
