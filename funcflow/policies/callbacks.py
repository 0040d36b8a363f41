"""Rules of callbacks. They are asked for with an execution, by whoever may make it."""

from __future__ import annotations

from funcflow.policies.base import MEMBER, READER, rule

_ALL = "/v1/callbacks"
_ONE = f"{_ALL}/{{execution_id}}"
RULES = [
    rule("callbacks:list", READER, "List who is still to be told.", f"GET {_ALL}"),
    rule("callbacks:show", READER, "Show who is still to be told.", f"GET {_ONE}"),
    rule("callbacks:redrive", MEMBER, "Try again to tell.", f"POST {_ONE}/redrive"),
    rule("callbacks:delete", MEMBER, "Tell nobody after all.", f"DELETE {_ONE}"),
]
