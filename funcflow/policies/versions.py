"""Rules of versions of functions."""

from __future__ import annotations

from funcflow.policies.base import MEMBER, READER, SYSTEM, rule

_ALL = "/v1/functions/{function_id}/versions"
_ONE = f"{_ALL}/{{version}}"
RULES = [
    rule("versions:list", READER, "List versions.", f"GET {_ALL}", scopes=SYSTEM),
    rule(
        "versions:show",
        READER,
        "Show a version, or download its package.",
        f"GET {_ONE}",
        scopes=SYSTEM,
    ),
    rule("versions:create", MEMBER, "Make a version.", f"POST {_ALL}"),
    rule("versions:update", MEMBER, "Describe a version.", f"PATCH {_ONE}"),
    rule("versions:delete", MEMBER, "Delete a version.", f"DELETE {_ONE}"),
]
