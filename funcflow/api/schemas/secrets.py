"""Secrets on the wire: a value comes in and never goes out."""

from __future__ import annotations

from typing import Any

from funcflow import models
from funcflow.api import fields
from funcflow.api.schemas import common

#: Characters of a value.
MAX_VALUE = 65_536

SECRET = common.shape(
    {
        "id": common.ID,
        "name": common.STRING,
        "description": common.STRING,
        "project_id": common.STRING,
        "version": {**common.INTEGER, "description": "Grows with each new value."},
        "barbican": {**common.MAYBE_STRING, "description": "Id in Barbican; null: kept here."},
        "created_at": common.TIME,
        "updated_at": common.MAYBE_TIME,
    },
    "Secret",
)
PAGE = common.page("secrets", SECRET)

_VALUE = {
    "value": fields.text(MAX_VALUE, 1, description="Never shown again."),
    "barbican": fields.text(
        512, 1, description="Id or address of a secret in Barbican, instead of a value."
    ),
    "description": common.DESCRIPTION,
}
_NAME = {
    **fields.text(128, 1, description="Unique in the project; stays."),
    "pattern": "^[A-Za-z_][A-Za-z0-9_.-]*$",
}
# What was sent is not repeated in errors.
CREATE = fields.Body({"name": _NAME, **_VALUE}, required=("name",), hidden=True)
REPLACE = fields.Body(_VALUE, hidden=True)


def view(secret: models.Secret) -> dict[str, Any]:
    return {
        "id": secret.id,
        "name": secret.name,
        "description": secret.description,
        "project_id": secret.project_id,
        "version": secret.version,
        "barbican": secret.barbican,
        "created_at": common.utc(secret.created_at),
        "updated_at": common.maybe_utc(secret.updated_at),
    }
