"""Rules of scaling: how many workers a function has."""

from __future__ import annotations

from funcflow.policies.base import MEMBER, READER, SYSTEM, rule

_SCALING = "/v1/functions/{function_id}/scaling"

RULES = [
    rule("scaling:show", READER, "Show how many workers a function has.", f"GET {_SCALING}",
         scopes=SYSTEM),
    rule("scaling:replace", MEMBER, "Say how many workers a function has.", f"PUT {_SCALING}"),
    rule("scaling:delete", MEMBER, "Let calls alone decide.", f"DELETE {_SCALING}"),
]  # fmt: skip
