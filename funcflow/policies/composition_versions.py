"""Rules of versions of compositions."""

from __future__ import annotations

from funcflow.policies.base import MEMBER, READER, SYSTEM, rule

_ALL = "/v1/compositions/{composition_id}/versions"
_ONE = f"{_ALL}/{{version}}"
RULES = [
    rule("composition_versions:list", READER, "List versions.", f"GET {_ALL}", scopes=SYSTEM),
    rule("composition_versions:show", READER, "Show a version.", f"GET {_ONE}", scopes=SYSTEM),
    rule("composition_versions:create", MEMBER, "Make a version.", f"POST {_ALL}"),
    rule("composition_versions:update", MEMBER, "Describe a version.", f"PATCH {_ONE}"),
    rule("composition_versions:delete", MEMBER, "Delete a version.", f"DELETE {_ONE}"),
]
