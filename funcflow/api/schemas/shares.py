"""Shares on the wire."""

from __future__ import annotations

from typing import Any

from funcflow import models, sharing
from funcflow.api import fields
from funcflow.api.schemas import common

_TARGETS = ["project", "domain", "all"]
SHARE = common.shape(
    {
        "id": common.ID,
        "function_id": common.ID,
        "project_id": common.STRING,
        "target_kind": {"enum": _TARGETS},
        "target_id": common.MAYBE_STRING,
        "permission": {"enum": list(sharing.PERMISSIONS)},
        "function_version": {"type": ["integer", "null"]},
        "function_alias": common.MAYBE_STRING,
        "expires_at": common.MAYBE_TIME,
        "created_by": common.MAYBE_STRING,
        "created_at": common.TIME,
    },
    "Share",
)
PAGE = common.page("shares", SHARE)

CREATE = fields.Body(
    {
        "target_kind": {
            "type": "string", "enum": _TARGETS, "description": "project by default.",
        },
        "target_id": fields.text(64, 1, description="Id of the project or domain; not for all."),
        "permission": {
            "type": "string", "enum": list(sharing.PERMISSIONS),
            "description": "Each grants what it names alone: to run it, to read its code, or to "
            "publish new code, versions and moves of aliases.",
        },
        "function_version": fields.integer(
            1, common.MAX_VERSION, description="For this version alone."
        ),
        "function_alias": fields.text(255, 1, description="For this alias alone."),
        "expires_at": {**fields.text(40, 1), "description": "When it ends, as ISO 8601."},
    },
    required=("permission",),
)  # fmt: skip


def view(share: models.Share) -> dict[str, Any]:
    return {
        "id": share.id,
        "function_id": share.function_id,
        "project_id": share.project_id,
        "target_kind": share.target_kind,
        "target_id": share.target_id or None,
        "permission": share.permission,
        "function_version": share.function_version,
        "function_alias": share.function_alias,
        "expires_at": common.maybe_utc(share.expires_at),
        "created_by": share.created_by,
        "created_at": common.utc(share.created_at),
    }
