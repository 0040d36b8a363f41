"""As whom something acts, on the wire: of functions, compositions and triggers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from funcflow import delegations, errors
from funcflow.api import fields
from funcflow.api.schemas import common

#: ``user_id``: whose identity it is, of owners.
SHOWN = common.shape(
    {
        "as": {"enum": ["owner", "caller", "none"]},
        "roles": {"type": "array", "items": common.STRING},
        "user_id": common.MAYBE_STRING,
    },
    "Identity",
)


def field(what: str, *kinds: delegations.Kind) -> dict[str, Any]:
    """The field of a body: ``what`` acts as one of these kinds, or as nobody."""
    return {
        "type": "object",
        "properties": {
            "as": {"type": "string", "enum": [*kinds, "none"]},
            "roles": {
                "type": "array",
                "items": fields.text(255, 1),
                "maxItems": 32,
                "description": "names of the roles it gets, and no others",
            },
        },
        "required": ["as"],
        "additionalProperties": False,
        "description": f"As whom {what} acts in the cloud; see the guide on trusts.",
        "examples": [{"as": "owner", "roles": ["reader"]}],
    }


def given(told: Mapping[str, Any]) -> delegations.Identity | None:
    """What a body asks for; None: to act as nobody.

    :raises errors.BadRequest: roles are missing, or there for nobody
    """
    kind, roles = told["as"], tuple(sorted(set(told.get("roles", ()))))
    if bool(roles) == (kind == "none"):
        raise errors.BadRequest(
            f"identity.roles does not fit to what acts as {kind}",
            code="bad_identity",
            hint='Say which roles it gets: {"as": "owner", "roles": ["reader"]}.',
        )
    return None if kind == "none" else delegations.Identity(kind=kind, roles=roles)


def view(identity: delegations.Identity | None) -> dict[str, Any]:
    """On the wire."""
    if identity is None:
        return {"as": "none", "roles": [], "user_id": None}
    return {"as": identity.kind, "roles": list(identity.roles), "user_id": identity.user_id}
