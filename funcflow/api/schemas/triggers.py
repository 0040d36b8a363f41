"""Triggers and their firings on the wire."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from funcflow.api import fields
from funcflow.api.schemas import common, identities
from funcflow.events import Firing, Trigger

#: Bytes of a trigger's body; criteria and input are small programs, not data.
MAX_BODY = 256 * 1024

_ANY: dict[str, Any] = {"description": "Any JSON value."}
SOURCE = {
    "type": "object",
    "description": "type, and what a source of that type is told.",
    "properties": {"type": fields.text(64, 1)},
    "required": ["type"],
    "examples": [{"type": "cron", "pattern": "0 3 * * *", "timezone": "Europe/Berlin"}],
}
TARGET = {
    "type": "object",
    "description": "One of function, alias, composition and workflow, by id or name.",
    "properties": {
        "function": common.REFERENCE,
        "composition": common.REFERENCE,
        "alias": {**common.REFERENCE, "description": "Of a function, or of the composition."},
        "version": common.VERSION,
        "workflow": fields.text(300, 1, description="Of Mistral: its name or id."),
    },
    "additionalProperties": False,
    "examples": [{"function": "greet"}],
}
CRITERIA = {
    "type": ["object", "string"],
    "description": "Conditions by name, or an expression over $event.",
    "examples": [{"data.status": {"type": "equals", "pattern": "ERROR"}}],
}
INPUT = {
    "description": "A template over $event: {% JSONata %} or <% YAQL %>; null: the event itself.",
    "examples": [{"name": "<% $event.data.name %>"}],
}
RETRY = {
    "type": "object",
    "properties": {
        "attempts": fields.integer(1, 100),
        "interval": fields.number(1, 3600, description="Seconds; doubles."),
    },
    "additionalProperties": False,
}
_WINDOW = fields.number(0, 30 * 86400, description="Seconds.")

_FIELDS: Mapping[str, Any] = {
    "name": fields.text(
        80,
        1,
        pattern="^[A-Za-z0-9_][A-Za-z0-9_.-]*$",
        description="Unique in the project: letters, digits, - _ and dots.",
    ),
    "description": common.DESCRIPTION,
    "enabled": fields.boolean(),
    "source": SOURCE,
    "criteria": CRITERIA,
    "target": TARGET,
    "input": INPUT,
    "rate_limit": fields.integer(1, 1_000_000, description="Firings in any 60 seconds."),
    "dedup_window": _WINDOW,
    "dedup_key": fields.text(4096, 1, description="An expression over $event."),
    "retry": RETRY,
    "identity": identities.field("the trigger", "owner"),
}
CREATE = fields.Body(_FIELDS, required=("source", "target"), limit=MAX_BODY)
PATCH = fields.Body(_FIELDS, patch=True, limit=MAX_BODY)
#: An event in the JSON format; the rest of the envelope has defaults here.
TEST = fields.Body(
    {"event": {"type": "object", "description": "An event in the JSON format of CloudEvents."}},
    required=("event",),
    limit=1024 * 1024,
)

_TRIGGER: Mapping[str, Any] = {
    "id": common.ID,
    "name": common.MAYBE_STRING,
    "description": common.STRING,
    "project_id": common.STRING,
    "enabled": common.BOOLEAN,
    "status": {"enum": ["enabled", "disabled"]},
    "reason": {"type": ["string", "null"], "description": "Why it was disabled by itself."},
    "source": {"type": "object"},
    "criteria": {"type": ["object", "string", "null"]},
    "target": {
        "type": "object",
        "properties": {
            "function": common.STRING,
            "composition": common.STRING,
            "alias": common.STRING,
            "version": common.INTEGER,
            "workflow": common.STRING,
        },
    },
    "input": _ANY,
    "rate_limit": {"type": ["integer", "null"]},
    "dedup_window": common.NUMBER,
    "dedup_key": common.MAYBE_STRING,
    "retry": {"type": "object"},
    "identity": identities.SHOWN,
    "origin": {"enum": ["triggers", "jobs", "webhooks"]},
    "url": {"type": ["string", "null"], "description": "Where its events are posted to."},
    "created_at": common.TIME,
    "updated_at": common.MAYBE_TIME,
}
TRIGGER = common.shape(_TRIGGER, "Trigger")
PAGE = common.page("triggers", TRIGGER)
CREATED = common.shape(
    {**_TRIGGER, "secret": {"type": ["string", "null"], "description": "Shown only now."}},
    "TriggerCreated",
)
SECRET = common.shape({"secret": common.STRING}, "TriggerSecret")
TRIAL = common.shape(
    {
        "matched": common.BOOLEAN,
        "would_run": common.BOOLEAN,
        "problem": {"type": ["string", "null"], "description": "Why nothing would run."},
        "input": {"type": ["string", "null"], "description": "What the target would get: JSON."},
        "criteria": {
            "type": "array",
            "items": common.shape(
                {
                    "criterion": common.STRING,
                    "matched": common.BOOLEAN,
                    "value": {"description": "What it looked at."},
                    "problem": common.MAYBE_STRING,
                },
                "CriterionVerdict",
            ),
        },
    },
    "TriggerTrial",
)
FIRING = common.shape(
    {
        "id": common.ID,
        "trigger_id": common.ID,
        "event_id": common.STRING,
        "event_source": common.STRING,
        "event_type": common.STRING,
        "outcome": {"enum": ["fired", "unmatched", "retrying", "dead", "refused", "skipped"]},
        "matched": common.BOOLEAN,
        "execution_id": common.MAYBE_STRING,
        "kind": {"enum": ["function", "composition", "workflow", None]},
        "reason": common.MAYBE_STRING,
        "attempts": common.INTEGER,
        "retry_at": common.MAYBE_TIME,
        "depth": {"type": "integer", "description": "Executions that set each other off."},
        "traceparent": common.MAYBE_STRING,
        "created_at": common.TIME,
        "updated_at": common.TIME,
    },
    "Firing",
)
FIRINGS = common.page("firings", FIRING)
DELIVERED = common.shape({"firings": {"type": "array", "items": FIRING}}, "Delivered")


def view(trigger: Trigger, hidden: Collection[str], url: str | None, **more: Any) -> dict[str, Any]:
    """``hidden``: fields of the source that are not shown; ``more``: of the answer."""
    told = {k: v for k, v in trigger.source.configuration.items() if k not in hidden}
    return {
        "id": trigger.id,
        "name": trigger.name,
        "description": trigger.description,
        "project_id": trigger.project_id,
        "enabled": trigger.enabled,
        "status": "enabled" if trigger.enabled else "disabled",
        "reason": trigger.reason,
        "source": {"type": trigger.source.type, **told},
        "criteria": trigger.criteria,
        "target": _target(trigger),
        "input": trigger.input,
        "rate_limit": trigger.rate_limit,
        "dedup_window": trigger.dedup_window,
        "dedup_key": trigger.dedup_key,
        "retry": {"attempts": trigger.retry.attempts, "interval": trigger.retry.interval},
        "identity": identities.view(trigger.identity),
        "origin": trigger.origin,
        "url": url,
        "created_at": common.utc(trigger.created_at),
        "updated_at": common.maybe_utc(trigger.updated_at),
        **more,
    }


def _target(trigger: Trigger) -> dict[str, Any]:
    target = trigger.target
    if target.kind == "alias":
        return {"alias": target.alias}
    if target.kind == "workflow":
        return {"workflow": target.id}
    shown: dict[str, Any] = {target.kind: target.id, "version": target.version}
    return shown if target.alias is None else {**shown, "alias": target.alias}


def firing_view(firing: Firing) -> dict[str, Any]:
    return {
        "id": firing.id,
        "trigger_id": firing.trigger_id,
        "event_id": firing.event_id,
        "event_source": firing.event_source,
        "event_type": firing.event_type,
        "outcome": firing.outcome,
        "matched": firing.outcome not in ("unmatched", "skipped"),
        "execution_id": firing.execution_id,
        "kind": firing.kind,
        "reason": firing.reason,
        "attempts": firing.attempts,
        "retry_at": common.maybe_utc(firing.retry_at),
        "depth": firing.depth,
        "traceparent": firing.traceparent,
        "created_at": common.utc(firing.created_at),
        "updated_at": common.utc(firing.updated_at),
    }
