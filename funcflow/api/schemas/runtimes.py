"""Runtimes on the wire."""

from __future__ import annotations

from typing import Any

from funcflow import models
from funcflow.api import fields
from funcflow.api.schemas import common

RUNTIME = common.shape(
    {
        "id": common.ID,
        "name": common.STRING,
        "image": common.STRING,
        "description": common.STRING,
        "is_public": common.BOOLEAN,
        "trusted": common.BOOLEAN,
        "status": {"enum": ["creating", "available", "upgrading", "error", "deleting"]},
        "project_id": common.STRING,
        "created_at": common.TIME,
        "updated_at": common.MAYBE_TIME,
    },
    "Runtime",
)
PAGE = common.page("runtimes", RUNTIME)

POOL = common.shape(
    {
        "name": common.ID,
        "capacity": common.shape(
            {"total": common.INTEGER, "available": common.INTEGER}, "Capacity"
        ),
    },
    "Pool",
)

_IMAGE = fields.text(255, 1)
_CHANGEABLE = {
    "name": common.NAME,
    "description": common.DESCRIPTION,
    "image": _IMAGE,
}
CREATE = fields.Body(
    {**_CHANGEABLE, "is_public": fields.boolean(), "trusted": fields.boolean()},
    required=("image",),
)
UPDATE = fields.Body(_CHANGEABLE)
PATCH = fields.Body(_CHANGEABLE, patch=True)
#: What a null in a patch means.
DEFAULTS: dict[str, Any] = {"name": "", "description": ""}


def view(runtime: models.Runtime) -> dict[str, Any]:
    return {
        "id": runtime.id,
        "name": runtime.name,
        "image": runtime.image,
        "description": runtime.description,
        "is_public": runtime.is_public,
        "trusted": runtime.trusted,
        "status": runtime.status,
        "project_id": runtime.project_id,
        "created_at": common.utc(runtime.created_at),
        "updated_at": common.maybe_utc(runtime.updated_at),
    }
