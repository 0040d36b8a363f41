"""Rules of aliases of compositions."""

from __future__ import annotations

from funcflow.policies.base import MEMBER, READER, SYSTEM, rule

_ALL = "/v1/compositions/{composition_id}/aliases"
_ONE = f"{_ALL}/{{alias_name}}"
RULES = [
    rule("composition_aliases:list", READER, "List aliases.", f"GET {_ALL}", scopes=SYSTEM),
    rule("composition_aliases:show", READER, "Show an alias.", f"GET {_ONE}", scopes=SYSTEM),
    rule("composition_aliases:create", MEMBER, "Create an alias.", f"POST {_ALL}"),
    rule("composition_aliases:update", MEMBER, "Change an alias.", f"PATCH {_ONE}"),
    rule("composition_aliases:delete", MEMBER, "Delete an alias.", f"DELETE {_ONE}"),
]
