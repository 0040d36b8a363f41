"""Rules of compositions, and of trying and checking definitions."""

from __future__ import annotations

from funcflow.policies.base import LISTER, MEMBER, READER, SYSTEM, rule

_ALL = "/v1/compositions"
_ONE = f"{_ALL}/{{composition_id}}"
RULES = [
    rule("compositions:list", LISTER, "List compositions.", f"GET {_ALL}", scopes=SYSTEM),
    rule("compositions:show", READER, "Show a composition.", f"GET {_ONE}", scopes=SYSTEM),
    rule(
        "compositions:definition", READER, "Show a definition, or draw it.",
        f"GET {_ONE}/definition", scopes=SYSTEM,
    ),
    rule("compositions:create", MEMBER, "Create a composition.", f"POST {_ALL}"),
    rule("compositions:update", MEMBER, "Change a composition.", f"PATCH {_ONE}"),
    rule("compositions:delete", MEMBER, "Delete a composition.", f"DELETE {_ONE}"),
    rule("compositions:validate", READER, "Check a definition.", f"POST {_ALL}/validate"),
    rule("compositions:test_state", MEMBER, "Try a state.", f"POST {_ALL}/test-state"),
]  # fmt: skip
