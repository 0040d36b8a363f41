"""Aliases of compositions on the wire. ``weights`` sends shares of the starts to others."""

from __future__ import annotations

from typing import Any

from funcflow import models
from funcflow.api import fields
from funcflow.api.schemas import aliases, common

ALIAS = common.shape(
    {
        "id": common.ID,
        "name": common.STRING,
        "description": common.STRING,
        "composition_id": common.ID,
        "composition_version": common.INTEGER,
        "weights": {"type": "object", "additionalProperties": common.NUMBER},
        "project_id": common.STRING,
        "created_at": common.TIME,
        "updated_at": common.MAYBE_TIME,
    },
    "CompositionAlias",
)
PAGE = common.page("composition_aliases", ALIAS)

_WEIGHTS = {
    **aliases.WEIGHTS,
    "description": "Version number to its share of the starts; the rest goes to "
    "composition_version.",
}
_TARGET = {
    "composition_version": {**common.VERSION, "description": "0: latest."},
    "description": common.DESCRIPTION,
    "weights": _WEIGHTS,
}
CREATE = fields.Body({"name": {**common.NAME, "minLength": 1}, **_TARGET}, required=("name",))
PATCH = fields.Body(
    {**_TARGET, "weights": {**_WEIGHTS, **aliases.PATCHED}},
    patch=True,
)


def view(alias: models.CompositionAlias) -> dict[str, Any]:
    return {
        "id": alias.id,
        "name": alias.name,
        "description": alias.description,
        "composition_id": alias.composition_id,
        "composition_version": alias.composition_version,
        "weights": {str(number): share for number, share in alias.weights.items()},
        "project_id": alias.project_id,
        "created_at": common.utc(alias.created_at),
        "updated_at": common.maybe_utc(alias.updated_at),
    }
