"""Qinling's webhooks on the wire: triggers whose address is their only secret."""

from __future__ import annotations

from typing import Any

from funcflow.api import fields
from funcflow.api.schemas import common
from funcflow.events import Trigger

WEBHOOK = common.shape(
    {
        "id": common.ID,
        "function_id": common.MAYBE_STRING,
        "function_alias": common.MAYBE_STRING,
        "function_version": common.INTEGER,
        "description": common.STRING,
        "project_id": common.STRING,
        "created_at": common.TIME,
        "updated_at": common.MAYBE_TIME,
        "webhook_url": common.STRING,
    },
    "Webhook",
)
PAGE = common.page("webhooks", WEBHOOK)
_FIELDS = {
    "function_id": common.REFERENCE,
    "function_alias": common.REFERENCE,
    "function_version": common.VERSION,
    "description": common.DESCRIPTION,
}
CREATE = fields.Body(_FIELDS)
UPDATE = fields.Body(_FIELDS)
#: The body of an invocation is whatever its sender wants to say.
KEY = {
    "type": "string",
    "maxLength": 200,
    "description": "The trigger's secret, where senders cannot sign: Aodh, subscriptions of Zaqar.",
}
INVOKED = common.shape(
    {
        "execution_id": {
            "type": ["string", "null"],
            "description": "Null: the trigger's criteria did not match, or its target cannot be "
            "started for now.",
        }
    },
    "Invoked",
)


def view(trigger: Trigger, url: str) -> dict[str, Any]:
    target = trigger.target
    return {
        "id": trigger.id,
        "function_id": target.id or None,
        "function_alias": target.alias,
        "function_version": target.version,
        "description": trigger.description,
        "project_id": trigger.project_id,
        "created_at": common.utc(trigger.created_at),
        "updated_at": common.maybe_utc(trigger.updated_at),
        "webhook_url": url,
    }
