"""Shares on the wire, of functions and of compositions: the same but for the names of what is
shared."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from funcflow import models, sharing
from funcflow.api import fields
from funcflow.api.fields import Schema
from funcflow.api.schemas import common

_TARGETS = ["project", "domain", "all"]


@dataclasses.dataclass(frozen=True, slots=True)
class Schemas:
    """Of the shares of one kind. ``grants``: of what says how something is shared with one."""

    share: Schema
    page: Schema
    create: fields.Body
    grants: Schema


def _schemas(kind: models.ResourceKind, title: str, publishes: str) -> Schemas:
    share = common.shape(
        {
            "id": common.ID,
            f"{kind}_id": common.ID,
            "project_id": common.STRING,
            "target_kind": {"enum": _TARGETS},
            "target_id": common.MAYBE_STRING,
            "permission": {"enum": list(sharing.PERMISSIONS)},
            f"{kind}_version": {"type": ["integer", "null"]},
            f"{kind}_alias": common.MAYBE_STRING,
            "expires_at": common.MAYBE_TIME,
            "created_by": common.MAYBE_STRING,
            "created_at": common.TIME,
        },
        f"{title}Share",
    )
    create = fields.Body(
        {
            "target_kind": {
                "type": "string", "enum": _TARGETS, "description": "project by default.",
            },
            "target_id": fields.text(
                64, 1, description="Id of the project or domain; not for all."
            ),
            "permission": {
                "type": "string", "enum": list(sharing.PERMISSIONS),
                "description": f"Each grants what it names alone: to run it, to read its "
                f"{publishes}, or to publish a new {publishes}, versions and moves of aliases.",
            },
            f"{kind}_version": fields.integer(
                1, common.MAX_VERSION, description="For this version alone."
            ),
            f"{kind}_alias": fields.text(255, 1, description="For this alias alone."),
            "expires_at": {**fields.text(40, 1), "description": "When it ends, as ISO 8601."},
        },
        required=("permission",),
    )  # fmt: skip
    shown = ("permission", f"{kind}_version", f"{kind}_alias", "expires_at")
    grant = common.shape({name: share["properties"][name] for name in shown}, f"{title}Grant")
    grants = {
        "type": ["array", "null"],
        "description": "What the owner lets you do; null: it is your own.",
        "items": grant,
    }
    return Schemas(share, common.page("shares", share), create, grants)


OF: Final[Mapping[models.ResourceKind, Schemas]] = {
    "function": _schemas("function", "", "code"),
    "composition": _schemas("composition", "Composition", "definition"),
}


def view(share: models.Share) -> dict[str, Any]:
    return {
        "id": share.id,
        f"{share.kind}_id": share.resource_id,
        "project_id": share.project_id,
        "target_kind": share.target_kind,
        "target_id": share.target_id or None,
        **_grant(share),
        "created_by": share.created_by,
        "created_at": common.utc(share.created_at),
    }


def grants(access: sharing.Access[Any]) -> list[dict[str, Any]] | None:
    """What the asker may do; None: it is the own one."""
    return None if access.shares is None else [_grant(share) for share in access.shares]


def _grant(share: models.Share) -> dict[str, Any]:
    return {
        "permission": share.permission,
        f"{share.kind}_version": share.version,
        f"{share.kind}_alias": share.alias,
        "expires_at": common.maybe_utc(share.expires_at),
    }
