"""Executions on the wire.

``result``, ``input`` and ``status`` are Qinling's: JSON inside strings, four words for the state.
``state``, ``error``, ``usage`` and what else is beside them say it better.
"""

from __future__ import annotations

import json
from typing import Any

from funcflow import models, outward, states
from funcflow.api import fields
from funcflow.api.schemas import callbacks, common

#: Longer bodies are refused before they are read whole; the input has its own, lower limit.
MAX_BODY = 16 * 1024 * 1024

ERROR = {
    **common.shape(
        {
            "type": common.STRING,
            "message": common.STRING,
            "trace": {"type": "array", "items": common.STRING},
        },
        "FunctionError",
    ),
    "type": ["object", "null"],
}
USAGE = common.shape(
    {
        "queue": common.NUMBER,
        "startup": common.NUMBER,
        "run": common.NUMBER,
        "cpu": common.NUMBER,
        "memory_peak": common.INTEGER,
        "worker": common.MAYBE_STRING,
        "cold": common.BOOLEAN,
    },
    "Usage",
)
EXECUTION = common.shape(
    {
        "id": common.ID,
        "function_id": common.MAYBE_STRING,
        "function_version": common.INTEGER,
        "function_alias": common.MAYBE_STRING,
        "description": common.STRING,
        "status": {"enum": ["running", "success", "failed", "error", "cancelled"]},
        "sync": common.BOOLEAN,
        "input": common.MAYBE_STRING,
        "result": {
            "type": ["string", "null"],
            "description": 'JSON text: {"output": …, "duration": seconds}.',
        },
        "project_id": common.STRING,
        "created_at": common.TIME,
        "updated_at": common.MAYBE_TIME,
        "state": {"enum": [str(state) for state in states.State]},
        "revision": common.INTEGER,
        "reason": common.MAYBE_STRING,
        "error": ERROR,
        "attempts": common.INTEGER,
        "usage": USAGE,
        "request_id": common.MAYBE_STRING,
        "started_at": common.MAYBE_TIME,
        "finished_at": common.MAYBE_TIME,
        "expires_at": common.MAYBE_TIME,
    },
    "Execution",
)
PAGE = common.page("executions", EXECUTION)

CREATE = fields.Body(
    {
        "function_id": {**common.REFERENCE, "description": "Its id; its name does as well."},
        "function_alias": common.REFERENCE,
        "function_version": common.VERSION,
        "sync": fields.boolean(),
        "input": {
            "description": "A string is taken as it is, as JSON text if it is such; any other "
            "JSON value is the input itself."
        },
        "description": common.DESCRIPTION,
        "lend_identity": fields.boolean(
            description="Let another project's function act as you, if it asks for that."
        ),
        "callback": callbacks.WANTED,
    },
    limit=MAX_BODY,
)
PATCH = fields.Body(
    {"status": {"type": "string", "enum": ["cancelled"]}}, required=("status",), patch=True
)

_encode = json.JSONEncoder(ensure_ascii=False, separators=(", ", ": ")).encode


def view(execution: models.Execution) -> dict[str, Any]:
    """As its project may see it."""
    execution, usage = outward.seen(execution), execution.usage
    return {
        "id": execution.id,
        "function_id": execution.function_id,
        "function_version": execution.function_version,
        "function_alias": execution.function_alias,
        "description": execution.description,
        "status": states.V1_STATUS[execution.state],
        "sync": execution.sync,
        "input": execution.input,
        "result": result(execution),
        "project_id": execution.project_id,
        "created_at": common.utc(execution.created_at),
        "updated_at": common.maybe_utc(execution.updated_at),
        "state": execution.state.value,
        "revision": execution.revision,
        "reason": execution.reason,
        "error": _error(execution.error),
        "attempts": execution.attempts,
        "usage": {
            "queue": usage.queue,
            "startup": usage.startup,
            "run": usage.run,
            "cpu": usage.cpu,
            "memory_peak": usage.memory_peak,
            "worker": usage.worker,
            "cold": usage.cold,
        },
        "request_id": execution.request_id,
        "started_at": common.maybe_utc(execution.started_at),
        "finished_at": common.maybe_utc(execution.finished_at),
        "expires_at": common.maybe_utc(execution.expires_at),
    }


def result(execution: models.Execution) -> str | None:
    """Qinling's result: JSON text with ``output`` and ``duration``, or None while it is open."""
    duration = round(execution.usage.run, 3)
    error = execution.error
    if error is not None:
        told = {"output": text_of(error), "duration": duration, "error": _error(error)}
        return _encode(told)
    if execution.state is states.State.SUCCEEDED:
        output = "null" if execution.output is None else execution.output
        return f'{{"output": {output}, "duration": {duration}}}'
    if execution.state in states.OPEN:
        return None
    return _encode({"output": execution.reason or execution.state.value, "duration": duration})


#: Words that existing clients look for, by type of error.
_WORDS = {
    "Timeout": "Function execution timeout",
    "OutOfMemory": "Function execution failed because of too much resource consumption",
}


def text_of(error: models.FunctionError) -> str:
    """The error in words, whichever driver found it."""
    words = _WORDS.get(error.type, "")
    if words in error.message:
        return error.message or error.type
    return f"{words}: {error.message}" if error.message else words


def _error(error: models.FunctionError | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {"type": error.type, "message": error.message, "trace": list(error.trace)}
