"""Rules of subscriptions, and of what they are still to be told."""

from __future__ import annotations

from funcflow.policies.base import LISTER, MEMBER, READER, SYSTEM, rule

_ALL = "/v1/subscriptions"
_ONE = f"{_ALL}/{{subscription_id}}"
_NOTICES = f"{_ONE}/notices"
RULES = [
    rule("subscriptions:list", LISTER, "List subscriptions.", f"GET {_ALL}", scopes=SYSTEM),
    rule("subscriptions:show", READER, "Show a subscription.", f"GET {_ONE}", scopes=SYSTEM),
    rule("subscriptions:create", MEMBER, "Subscribe to executions.", f"POST {_ALL}"),
    rule("subscriptions:update", MEMBER, "Change a subscription.", f"PATCH {_ONE}"),
    rule("subscriptions:delete", MEMBER, "Delete a subscription.", f"DELETE {_ONE}"),
    rule("subscriptions:renew_secret", MEMBER, "Make a new secret.", f"POST {_ONE}/secret"),
    rule("subscriptions:redrive", MEMBER, "Try dead notices again.", f"POST {_ONE}/redrive"),
    rule("notices:list", READER, "List what is still to be told.", f"GET {_NOTICES}"),
    rule("notices:purge", MEMBER, "Forget dead notices.", f"DELETE {_NOTICES}"),
]
