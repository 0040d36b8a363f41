"""Rules of secrets. None lets anybody read a value: they are for functions alone."""

from __future__ import annotations

from funcflow.policies.base import LISTER, MEMBER, READER, SYSTEM, rule

_ALL = "/v1/secrets"
_ONE = f"{_ALL}/{{secret_id}}"
RULES = [
    rule("secrets:list", LISTER, "List secrets, without values.", f"GET {_ALL}", scopes=SYSTEM),
    rule("secrets:show", READER, "Show a secret, without its value.", f"GET {_ONE}"),
    rule("secrets:create", MEMBER, "Keep a secret.", f"POST {_ALL}"),
    rule("secrets:replace", MEMBER, "Replace a secret's value.", f"PUT {_ONE}"),
    rule("secrets:delete", MEMBER, "Delete a secret.", f"DELETE {_ONE}"),
    rule(
        "secrets:mount", MEMBER, "Let a function of the project have secrets.",
        "POST /v1/functions", "PUT /v1/functions/{function_id}",
        "PATCH /v1/functions/{function_id}",
    ),
]  # fmt: skip
