"""Rules of shares."""

from __future__ import annotations

from funcflow.policies.base import MANAGER, MEMBER, READER, rule

_ALL = "/v1/functions/{function_id}/shares"
_ONE = f"{_ALL}/{{share_id}}"
RULES = [
    rule("shares:list", READER, "List shares of a function.", f"GET {_ALL}"),
    rule("shares:show", READER, "Show a share.", f"GET {_ONE}"),
    rule("shares:create", MEMBER, "Share a function with a project.", f"POST {_ALL}"),
    rule("shares:delete", MEMBER, "Take a share back.", f"DELETE {_ONE}"),
    rule(
        "shares:create_wide", MANAGER, "Share a function with a domain, or with all.",
        f"POST {_ALL}",
    ),
]  # fmt: skip
