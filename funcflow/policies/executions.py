"""Rules of executions, and of lists that span projects."""

from __future__ import annotations

from funcflow.policies.base import LISTER, MEMBER, READER, SYSTEM, SYSTEM_READER, rule

_ONE = "/v1/executions/{execution_id}"
RULES = [
    rule(
        "all_projects",
        SYSTEM_READER,
        "List with all_projects or project_id, of whatever noun.",
        "GET /v1/functions",
        "GET /v1/aliases",
        "GET /v1/executions",
        "GET /v1/dead-letters",
        scopes=SYSTEM,
    ),
    rule("executions:list", LISTER, "List executions.", "GET /v1/executions", scopes=SYSTEM),
    rule("executions:show", READER, "Show an execution.", f"GET {_ONE}", scopes=SYSTEM),
    rule("executions:log", READER, "Show or follow the log.", f"GET {_ONE}/log", scopes=SYSTEM),
    rule("executions:create", MEMBER, "Run a function.", "POST /v1/executions"),
    rule("executions:update", MEMBER, "Cancel an execution.", f"PATCH {_ONE}"),
    rule("executions:cancel", MEMBER, "Cancel an execution.", f"POST {_ONE}/cancel"),
    rule("executions:delete", MEMBER, "Delete an execution.", f"DELETE {_ONE}"),
]
