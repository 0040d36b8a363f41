"""Rules of triggers, of their firings, and of who may send events."""

from __future__ import annotations

from funcflow.policies.base import LISTER, MEMBER, READER, SYSTEM, rule

_ALL = "/v1/triggers"
_ONE = f"{_ALL}/{{trigger_id}}"
_FIRING = f"{_ONE}/firings/{{firing_id}}"
RULES = [
    rule("triggers:list", LISTER, "List triggers.", f"GET {_ALL}", scopes=SYSTEM),
    rule("triggers:show", READER, "Show a trigger.", f"GET {_ONE}", scopes=SYSTEM),
    rule("triggers:create", MEMBER, "Create a trigger.", f"POST {_ALL}"),
    rule("triggers:update", MEMBER, "Change a trigger.", f"PATCH {_ONE}"),
    rule("triggers:delete", MEMBER, "Delete a trigger.", f"DELETE {_ONE}"),
    rule("triggers:test", READER, "See what a trigger would do.", f"POST {_ONE}/test"),
    rule("triggers:renew_secret", MEMBER, "Make a new secret.", f"POST {_ONE}/secret"),
    rule("triggers:deliver", MEMBER, "Send events to a trigger.", f"POST {_ONE}/events"),
    rule("firings:list", READER, "List firings.", f"GET {_ONE}/firings", scopes=SYSTEM),
    rule("firings:show", READER, "Show a firing.", f"GET {_FIRING}", scopes=SYSTEM),
    rule("firings:redrive", MEMBER, "Try a firing again.", f"POST {_FIRING}/redrive"),
    rule("events:create", MEMBER, "Send events to the project.", "POST /v1/events"),
]
