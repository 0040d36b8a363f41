"""Subscriptions and their notices on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from funcflow.api import fields
from funcflow.api.schemas import common
from funcflow.subscriptions import ANY, ENDS, PARTS, STATES, Notice, Stage, Subscription

#: Bytes of a body.
MAX_BODY = 64 * 1024
_URL = fields.text(2048, 1, examples=["https://example.org/hooks/funcflow"])
DESTINATION = {
    "type": "object",
    "description": "A web server: url and mode. Or a queue of Zaqar: queue and ttl (seconds).",
    "properties": {
        "type": {"enum": ["http", "zaqar"]},
        "url": _URL,
        "mode": {"enum": ["structured", "binary"], "description": "Default: structured."},
        "queue": fields.text(64, 1, pattern=r"^[A-Za-z0-9_-]+$"),
        "ttl": fields.integer(60, 1_209_600, description="Default: 3600."),
    },
    "required": ["type"],
    "additionalProperties": False,
    "examples": [{"type": "http", "url": "https://example.org/hooks/funcflow"}],
}
_STATES = {
    "type": "array",
    "items": {"enum": [*STATES, ANY]},
    "minItems": 1,
    "maxItems": len(STATES) + 1,
    "description": f"{ANY}: every one. Default: the ends, {', '.join(ENDS)}.",
}
_INCLUDE = {
    "type": "array",
    "items": {"enum": list(PARTS)},
    "maxItems": len(PARTS),
    "description": "What of an execution is told besides. Default: nothing.",
}
_FIELDS: Mapping[str, Any] = {
    "name": fields.text(
        80,
        1,
        pattern="^[A-Za-z0-9_][A-Za-z0-9_.-]*$",
        description="Unique in the project: letters, digits, - _ and dots.",
    ),
    "description": common.DESCRIPTION,
    "enabled": fields.boolean(),
    "function": {**common.REFERENCE, "description": "Of this one alone, by id or name."},
    "composition": {**common.REFERENCE, "description": "Of this one alone, by id or name."},
    "kind": {"enum": ["function", "composition"], "description": "Of all of that kind."},
    "states": _STATES,
    "destination": DESTINATION,
    "include": _INCLUDE,
}
CREATE = fields.Body(_FIELDS, required=("destination",), limit=MAX_BODY)
PATCH = fields.Body(_FIELDS, patch=True, limit=MAX_BODY)

_SUBSCRIPTION: Mapping[str, Any] = {
    "id": common.ID,
    "name": common.MAYBE_STRING,
    "description": common.STRING,
    "project_id": common.STRING,
    "enabled": common.BOOLEAN,
    "reason": {"type": ["string", "null"], "description": "Why it was disabled by itself."},
    "kind": {"enum": ["function", "composition", None]},
    "function_id": common.MAYBE_STRING,
    "composition_id": common.MAYBE_STRING,
    "states": {"type": "array", "items": {"enum": list(STATES)}},
    "destination": {"type": "object"},
    "include": {"type": "array", "items": {"enum": list(PARTS)}},
    "created_at": common.TIME,
    "updated_at": common.MAYBE_TIME,
}
SUBSCRIPTION = common.shape(_SUBSCRIPTION, "Subscription")
PAGE = common.page("subscriptions", SUBSCRIPTION)
CREATED = common.shape(
    {**_SUBSCRIPTION, "secret": {"type": ["string", "null"], "description": "Shown only now."}},
    "SubscriptionCreated",
)
SECRET = common.shape({"secret": common.STRING}, "SubscriptionSecret")
REDRIVEN = common.shape({"redriven": common.INTEGER}, "Redriven")
PURGED = common.shape({"purged": common.INTEGER}, "NoticesPurged")
STAGE = {"enum": [str(stage) for stage in Stage]}
NOTICE = common.shape(
    {
        "id": common.INTEGER,
        "execution_id": common.ID,
        "kind": {"enum": ["function", "composition"]},
        "state": {"enum": list(STATES)},
        "stage": STAGE,
        "attempts": common.INTEGER,
        "reason": {"type": ["string", "null"], "description": "Why it was not told yet."},
        "created_at": common.TIME,
    },
    "Notice",
)
NOTICES = common.page("notices", NOTICE)


def view(subscription: Subscription, **more: Any) -> dict[str, Any]:
    """``more``: of the answer."""
    target = {f"{subscription.kind}_id": subscription.target_id}
    return {
        "id": subscription.id,
        "name": subscription.name,
        "description": subscription.description,
        "project_id": subscription.project_id,
        "enabled": subscription.enabled,
        "reason": subscription.reason,
        "kind": subscription.kind,
        "function_id": target.get("function_id"),
        "composition_id": target.get("composition_id"),
        "states": list(subscription.states),
        "destination": {
            "type": subscription.destination.type,
            **subscription.destination.configuration,
        },
        "include": list(subscription.include),
        "created_at": common.utc(subscription.created_at),
        "updated_at": common.maybe_utc(subscription.updated_at),
        **more,
    }


def notice_view(notice: Notice) -> dict[str, Any]:
    return {
        "id": notice.id,
        "execution_id": notice.execution_id,
        "kind": notice.kind,
        "state": notice.state,
        "stage": notice.stage.value,
        "attempts": notice.attempts,
        "reason": notice.reason,
        "created_at": common.utc(notice.created_at),
    }
