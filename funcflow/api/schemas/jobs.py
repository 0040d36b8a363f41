"""Qinling's jobs on the wire: triggers whose source is a clock, and whose target a function.

A job's name is the trigger's description, as jobs may share a name; its input is the data of the
source's events.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from funcflow.api import fields
from funcflow.api.schemas import common
from funcflow.events import Trigger

#: What the target gets: the data of the event.
INPUT = "<% $event.data %>"
STATUS = ("running", "paused", "cancelled", "done")
_TIME = fields.text(64, 1, description="UTC, as in 2026-01-31T12:00:00Z.")
_INPUT = {"description": "The function's input; a string is JSON text if it is such."}
_COUNT = fields.integer(1, 10**9, description="Runs at most.")

JOB = common.shape(
    {
        "id": common.ID,
        "name": common.MAYBE_STRING,
        "function_id": common.MAYBE_STRING,
        "function_alias": common.MAYBE_STRING,
        "function_version": common.INTEGER,
        "function_input": common.MAYBE_STRING,
        "status": {"enum": list(STATUS)},
        "pattern": common.MAYBE_STRING,
        "count": {"type": ["integer", "null"], "description": "Runs that are left."},
        "first_execution_time": common.MAYBE_TIME,
        "next_execution_time": common.MAYBE_TIME,
        "project_id": common.STRING,
        "created_at": common.TIME,
        "updated_at": common.MAYBE_TIME,
    },
    "Job",
)
PAGE = common.page("jobs", JOB)
CREATE = fields.Body(
    {
        "name": common.NAME,
        "function_id": common.REFERENCE,
        "function_alias": common.REFERENCE,
        "function_version": common.VERSION,
        "function_input": _INPUT,
        "pattern": fields.text(200, 1, description="A cron pattern."),
        "first_execution_time": _TIME,
        "count": _COUNT,
    },
    limit=1024 * 1024,
)
UPDATE = fields.Body(
    {
        "name": common.NAME,
        "function_input": _INPUT,
        "status": {"type": "string", "enum": list(STATUS)},
        "pattern": fields.text(200, 1),
        "next_execution_time": _TIME,
    },
    limit=1024 * 1024,
)


def left(trigger: Trigger, cursor: Any) -> int | None:
    """Runs that are left; None: any number."""
    told: Mapping[str, Any] = trigger.source.configuration
    count = 1 if trigger.source.type == "once" else told.get("count")
    fired = 0 if cursor is None else int(cursor["fired"])
    return None if count is None else max(0, count - fired)


def status(trigger: Trigger, cursor: Any) -> str:
    if left(trigger, cursor) == 0:
        return "done"
    if trigger.enabled:
        return "running"
    return trigger.reason if trigger.reason in STATUS else "paused"


def view(trigger: Trigger, cursor: Any, next_at: float | None) -> dict[str, Any]:
    """``cursor`` and ``next_at``: where its source is."""
    told: Mapping[str, Any] = trigger.source.configuration
    target = trigger.target
    said = told.get("data")
    running = status(trigger, cursor) == "running"
    return {
        "id": trigger.id,
        "name": trigger.description or None,
        "function_id": target.id or None,
        "function_alias": target.alias,
        "function_version": target.version,
        "function_input": None if said is None else json.dumps(said, ensure_ascii=False),
        "status": status(trigger, cursor),
        "pattern": told.get("pattern"),
        "count": left(trigger, cursor),
        "first_execution_time": common.maybe_utc(told.get("at", told.get("first_at"))),
        "next_execution_time": common.maybe_utc(next_at) if running else None,
        "project_id": trigger.project_id,
        "created_at": common.utc(trigger.created_at),
        "updated_at": common.maybe_utc(trigger.updated_at),
    }
