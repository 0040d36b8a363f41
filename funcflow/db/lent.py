"""Identities in rows: what is asked for as JSON text, the trust beside it so that it can be found.

Used by the modules of whatever acts for somebody: revisions of functions and compositions, and
triggers.
"""

from __future__ import annotations

import json

from funcflow import delegations


def row(identity: delegations.Identity | None) -> dict[str, str | None]:
    """The columns ``identity`` and ``trust_id``."""
    if identity is None:
        return {"identity": None, "trust_id": None}
    told = {"kind": identity.kind, "roles": identity.roles, "user_id": identity.user_id}
    return {"identity": json.dumps(told), "trust_id": identity.trust_id}


def identity(text: str | None, trust_id: str | None) -> delegations.Identity | None:
    """What the columns say."""
    if text is None:
        return None
    told = json.loads(text)
    return delegations.Identity(
        kind=told["kind"],
        roles=tuple(told["roles"]),
        user_id=told["user_id"],
        trust_id=trust_id,
    )
