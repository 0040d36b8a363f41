"""Rules of functions."""

from __future__ import annotations

from funcflow.policies.base import LISTER, MEMBER, READER, SYSTEM, rule

_ONE = "/v1/functions/{function_id}"
RULES = [
    rule("functions:list", LISTER, "List functions.", "GET /v1/functions", scopes=SYSTEM),
    rule(
        "functions:show",
        READER,
        "Show a function, or download its package.",
        f"GET {_ONE}",
        scopes=SYSTEM,
    ),
    rule("functions:create", MEMBER, "Deploy a function.", "POST /v1/functions"),
    rule("functions:replace", MEMBER, "Change a function or its code.", f"PUT {_ONE}"),
    rule("functions:update", MEMBER, "Change some of a function.", f"PATCH {_ONE}"),
    rule("functions:delete", MEMBER, "Delete a function.", f"DELETE {_ONE}"),
]
