"""Aliases on the wire. ``weights`` sends shares of the traffic to other versions."""

from __future__ import annotations

from typing import Any

from funcflow import models
from funcflow.api import fields
from funcflow.api.fields import Schema
from funcflow.api.schemas import common

_SHARE = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
WEIGHTS = {
    "type": "object",
    "description": "Version number to its share of the traffic; the rest goes to function_version.",
    "maxProperties": 10,
    "propertyNames": {"pattern": "^[0-9]{1,6}$"},
    "additionalProperties": _SHARE,
}
#: In a merge patch null takes a share away.
PATCHED = {"additionalProperties": {**_SHARE, "type": ["number", "null"]}}


def shape(kind: models.ResourceKind, title: str) -> Schema:
    """Of an alias of a function or composition."""
    properties = {
        "id": common.ID,
        "name": common.STRING,
        "description": common.STRING,
        f"{kind}_id": common.ID,
        f"{kind}_version": common.INTEGER,
        "weights": {"type": "object", "additionalProperties": common.NUMBER},
        "project_id": common.STRING,
        "created_at": common.TIME,
        "updated_at": common.MAYBE_TIME,
    }
    return common.shape(properties, title)


ALIAS = shape("function", "Alias")
PAGE = common.page("function_aliases", ALIAS)

_TARGET = {
    "function_id": {**common.REFERENCE, "description": "Its id; its name does as well."},
    "function_version": common.VERSION,
    "description": common.DESCRIPTION,
    "weights": WEIGHTS,
}
CREATE = fields.Body(
    {"name": {**common.NAME, "minLength": 1}, **_TARGET}, required=("name", "function_id")
)
UPDATE = fields.Body(_TARGET)
PATCH = fields.Body({**_TARGET, "weights": {**WEIGHTS, **PATCHED}}, patch=True)


def view(alias: models.Alias | models.CompositionAlias) -> dict[str, Any]:
    kind = "function" if isinstance(alias, models.Alias) else "composition"
    return {
        "id": alias.id,
        "name": alias.name,
        "description": alias.description,
        f"{kind}_id": getattr(alias, f"{kind}_id"),
        f"{kind}_version": getattr(alias, f"{kind}_version"),
        "weights": {str(number): share for number, share in alias.weights.items()},
        "project_id": alias.project_id,
        "created_at": common.utc(alias.created_at),
        "updated_at": common.maybe_utc(alias.updated_at),
    }
