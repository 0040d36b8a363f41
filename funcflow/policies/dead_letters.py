"""Rules of dead letters."""

from __future__ import annotations

from funcflow.policies.base import LISTER, MEMBER, READER, SYSTEM, rule

_ALL = "/v1/dead-letters"
_ONE = f"{_ALL}/{{execution_id}}"
RULES = [
    rule("dead_letters:list", LISTER, "List dead letters.", f"GET {_ALL}", scopes=SYSTEM),
    rule("dead_letters:show", READER, "Show a dead letter.", f"GET {_ONE}", scopes=SYSTEM),
    rule("dead_letters:redrive", MEMBER, "Queue a dead letter again.", f"POST {_ONE}/redrive"),
    rule("dead_letters:delete", MEMBER, "Delete a dead letter.", f"DELETE {_ONE}"),
    rule("dead_letters:purge", MEMBER, "Delete all of a project.", f"DELETE {_ALL}"),
]
