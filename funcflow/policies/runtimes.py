"""Rules of runtimes: of the installation, so also for tokens of system scope."""

from __future__ import annotations

from funcflow.policies.base import ADMIN, ANYBODY, SYSTEM, rule

_ONE = "/v1/runtimes/{runtime_id}"
RULES = [
    rule("runtimes:list", ANYBODY, "List runtimes.", "GET /v1/runtimes", scopes=SYSTEM),
    rule("runtimes:show", ANYBODY, "Show a runtime.", f"GET {_ONE}", scopes=SYSTEM),
    rule("runtimes:create", ADMIN, "Create a runtime.", "POST /v1/runtimes", scopes=SYSTEM),
    rule("runtimes:replace", ADMIN, "Change a runtime.", f"PUT {_ONE}", scopes=SYSTEM),
    rule("runtimes:update", ADMIN, "Change some of a runtime.", f"PATCH {_ONE}", scopes=SYSTEM),
    rule("runtimes:delete", ADMIN, "Delete a runtime.", f"DELETE {_ONE}", scopes=SYSTEM),
    rule("runtimes:pool", ADMIN, "Show its capacity.", f"GET {_ONE}/pool", scopes=SYSTEM),
]
