"""Aliases of compositions on the wire. ``weights`` sends shares of the starts to others."""

from __future__ import annotations

from funcflow.api import fields
from funcflow.api.schemas import aliases, common
from funcflow.api.schemas.aliases import view as view

ALIAS = aliases.shape("composition", "CompositionAlias")
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
