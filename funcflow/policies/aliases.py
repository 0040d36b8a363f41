"""Rules of aliases."""

from __future__ import annotations

from funcflow.policies.base import LISTER, MEMBER, READER, SYSTEM, rule

_ONE = "/v1/aliases/{alias_name}"
RULES = [
    rule("aliases:list", LISTER, "List aliases.", "GET /v1/aliases", scopes=SYSTEM),
    rule("aliases:show", READER, "Show an alias.", f"GET {_ONE}"),
    rule("aliases:create", MEMBER, "Create an alias.", "POST /v1/aliases"),
    rule("aliases:replace", MEMBER, "Change an alias.", f"PUT {_ONE}"),
    rule("aliases:update", MEMBER, "Change some of an alias.", f"PATCH {_ONE}"),
    rule("aliases:delete", MEMBER, "Delete an alias.", f"DELETE {_ONE}"),
]
