"""Rules of quotas."""

from __future__ import annotations

from funcflow.policies.base import ADMIN, READER, SYSTEM, SYSTEM_READER, rule

_ONE = "/v1/quotas/{project_id}"
RULES = [
    rule("quotas:own", READER, "Show the own project's limits and use.", "GET /v1/quotas"),
    rule("quotas:show", SYSTEM_READER, "Show any project's.", f"GET {_ONE}", scopes=SYSTEM),
    rule("quotas:update", ADMIN, "Change a project's limits.", f"PATCH {_ONE}", scopes=SYSTEM),
    rule("quotas:delete", ADMIN, "Bring back the defaults.", f"DELETE {_ONE}", scopes=SYSTEM),
]
