"""People who lend to functions and triggers, and what becomes of what they lent."""

from __future__ import annotations

import uuid
from typing import Any

import requests

from tests import openstack
from tools.services import identities

SOURCE = "def main(**rest):\n    return 1\n"
#: Every run asks Keystone whether what is lent is good.
STRICT = "[trusts]\ncheck_interval = 0\n[conductor]\nsweep_interval = 0.2\nbackoff = 0.05\n"
#: Where it is not the sandbox that is tested.
WITHOUT_WALLS = "[sandbox]\ndriver = memory\nallow_unprotected = true\n"


def person(team: openstack.Team, *roles: str) -> tuple[identities.User, openstack.As]:
    """Somebody new of the team, and the API as they call it."""
    user = team.user(*roles)
    return user, openstack.As(team.url, team.cloud.token(user, project_id=team.project))


def deploy(owner: openstack.As, kind: str, *roles: str, **fields: Any) -> str:
    """The id of a new function that acts as its owner or caller."""
    identity = {"as": kind, "roles": list(roles)}
    name = f"f-{uuid.uuid4().hex[:8]}"
    return str(owner.function(SOURCE, name=name, timeout=20, identity=identity, **fields)["id"])


def trusts_of(cloud: identities.Cloud, user: identities.User) -> list[str]:
    """Ids of what the user lends, as Keystone has it."""
    query = {"trustor_user_id": user.id}
    found = cloud.rest.get("/OS-TRUST/trusts", params=query, log=False).json()
    return [trust["id"] for trust in found["trusts"]]


def revoke(cloud: identities.Cloud, user: identities.User, project: str) -> None:
    """The user ends all that they lend."""
    mine = {"X-Auth-Token": cloud.token(user, project_id=project)}
    for trust in trusts_of(cloud, user):
        gone = f"{cloud.auth_url}/OS-TRUST/trusts/{trust}"
        assert requests.delete(gone, headers=mine, timeout=30).status_code == 204


def spoil(cloud: identities.Cloud, user: identities.User, project: str, fault: str) -> None:
    """``fault``: revoked, user disabled, or project deleted."""
    if fault == "revoked":
        revoke(cloud, user, project)
    elif fault == "user disabled":
        cloud.rest.patch(f"/users/{user.id}", json={"user": {"enabled": False}})
    else:
        cloud.rest.delete(f"/projects/{project}")
