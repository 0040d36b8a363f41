"""Every operation of the API, and what it takes to call it in the owner's project."""

from __future__ import annotations

import dataclasses
from typing import Any

PUBLIC = {
    "discovery.versions", "discovery.version", "health.alive", "health.ready", "metrics.show",
    "openapi.show", "approvals.show", "approvals.decide", "task_tokens.success",
    "task_tokens.failure", "task_tokens.heartbeat", "webhooks.invoke",
    "workflow_notifications.create",
}  # fmt: skip
READS, WRITES, ADMIN = "reads", "writes", "admin"


@dataclasses.dataclass(frozen=True)
class Case:
    """One way to call one operation. ``kind``: what it takes in the owner's project."""

    operation: str
    kind: str
    method: str
    path: str
    body: dict[str, Any] | None = None
    #: Whether it is about one thing, not a collection of the asker's own project.
    one: bool = True
    #: What somebody gets with whom the function is shared to be executed; None: as a stranger.
    shared: int | None = None


_F = "/v1/functions/{function}"
_V = f"{_F}/versions/1"
_C = "/v1/compositions/{composition}"
_E = f"{_C}/executions/{{run}}"
_T = "/v1/triggers/{trigger}"
_S = "/v1/subscriptions/{subscription}"
_COUNT = {"count": 1}
#: {placeholders} are filled with each way to name the thing.
CASES = [
    Case("functions.list", READS, "GET", "/v1/functions", one=False),
    Case("functions.create", WRITES, "POST", "/v1/functions", {}, one=False),
    Case("functions.show", READS, "GET", _F, shared=200),
    Case("functions.show", READS, "GET", f"{_F}?download=true", shared=403),
    Case("functions.replace", WRITES, "PUT", _F, {"description": "x"}, shared=403),
    Case("functions.update", WRITES, "PATCH", _F, {"description": "x"}, shared=403),
    Case("functions.delete", WRITES, "DELETE", _F, shared=403),
    Case("functions.scale_up", ADMIN, "POST", f"{_F}/scale_up", _COUNT),
    Case("functions.scale_down", ADMIN, "POST", f"{_F}/scale_down", _COUNT),
    Case("functions.detach", ADMIN, "POST", f"{_F}/detach", {}),
    Case("workers.list", ADMIN, "GET", f"{_F}/workers"),
    Case("shares.list", READS, "GET", f"{_F}/shares", shared=403),
    Case("shares.create", WRITES, "POST", f"{_F}/shares",
         {"permission": "read", "target_id": "x"}, shared=403),
    Case("shares.show", READS, "GET", f"{_F}/shares/{{share}}", shared=403),
    Case("shares.delete", WRITES, "DELETE", f"{_F}/shares/{{share}}", shared=403),
    Case("scaling.show", READS, "GET", f"{_F}/scaling", shared=403),
    Case("scaling.replace", WRITES, "PUT", f"{_F}/scaling", {}, shared=403),
    Case("scaling.delete", WRITES, "DELETE", f"{_F}/scaling", shared=403),
    Case("versions.list", READS, "GET", f"{_F}/versions", shared=200),
    Case("versions.create", WRITES, "POST", f"{_F}/versions", {}, shared=403),
    Case("versions.show", READS, "GET", _V, shared=200),
    Case("versions.show", READS, "GET", f"{_V}?download=true", shared=403),
    Case("versions.update", WRITES, "PATCH", _V, {"description": "x"}, shared=403),
    Case("versions.delete", WRITES, "DELETE", _V, shared=403),
    Case("versions.scale_up", ADMIN, "POST", f"{_V}/scale_up", _COUNT),
    Case("versions.scale_down", ADMIN, "POST", f"{_V}/scale_down", _COUNT),
    Case("versions.detach", ADMIN, "POST", f"{_V}/detach", {}),
    Case("aliases.list", READS, "GET", "/v1/aliases", one=False),
    Case("aliases.create", WRITES, "POST", "/v1/aliases",
         {"name": "mine", "function_id": "{function}"}, shared=403),
    Case("aliases.show", READS, "GET", "/v1/aliases/{alias}", shared=200),
    Case("aliases.replace", WRITES, "PUT", "/v1/aliases/{alias}", {"description": "x"}, shared=403),
    Case("aliases.update", WRITES, "PATCH", "/v1/aliases/{alias}", {"description": "x"},
         shared=403),
    Case("aliases.delete", WRITES, "DELETE", "/v1/aliases/{alias}", shared=403),
    Case("executions.list", READS, "GET", "/v1/executions", one=False),
    Case("executions.create", WRITES, "POST", "/v1/executions", {"function_id": "{function}"},
         shared=201),
    Case("executions.create", WRITES, "POST", "/v1/executions",
         {"function_id": "{function}", "function_version": 1}, shared=201),
    Case("executions.create", WRITES, "POST", "/v1/executions", {"function_alias": "{alias}"},
         shared=201),
    Case("executions.show", READS, "GET", "/v1/executions/{execution}"),
    Case("executions.log", READS, "GET", "/v1/executions/{execution}/log"),
    Case("executions.log", READS, "GET", "/v1/executions/{execution}/log?follow=true"),
    Case("executions.update", WRITES, "PATCH", "/v1/executions/{execution}",
         {"status": "cancelled"}),
    Case("executions.cancel", WRITES, "POST", "/v1/executions/{execution}/cancel", {}),
    Case("executions.delete", WRITES, "DELETE", "/v1/executions/{execution}"),
    Case("dead_letters.list", READS, "GET", "/v1/dead-letters", one=False),
    Case("dead_letters.purge", WRITES, "DELETE", "/v1/dead-letters", one=False),
    Case("dead_letters.show", READS, "GET", "/v1/dead-letters/{dead}"),
    Case("dead_letters.redrive", WRITES, "POST", "/v1/dead-letters/{dead}/redrive", {}),
    Case("dead_letters.delete", WRITES, "DELETE", "/v1/dead-letters/{dead}"),
    Case("dead_letters.show", READS, "GET", "/v1/dead-letters/{unfired}"),
    Case("dead_letters.redrive", WRITES, "POST", "/v1/dead-letters/{unfired}/redrive", {}),
    Case("dead_letters.delete", WRITES, "DELETE", "/v1/dead-letters/{unfired}"),
    Case("callbacks.list", READS, "GET", "/v1/callbacks", one=False),
    Case("callbacks.show", READS, "GET", "/v1/callbacks/{dead}"),
    Case("callbacks.redrive", WRITES, "POST", "/v1/callbacks/{dead}/redrive", {}),
    Case("callbacks.delete", WRITES, "DELETE", "/v1/callbacks/{dead}"),
    Case("secrets.list", READS, "GET", "/v1/secrets", one=False),
    Case("secrets.create", WRITES, "POST", "/v1/secrets", {"name": "x"}, one=False),
    Case("secrets.show", READS, "GET", "/v1/secrets/{secret}"),
    Case("secrets.replace", WRITES, "PUT", "/v1/secrets/{secret}", {"value": "x"}),
    Case("secrets.delete", WRITES, "DELETE", "/v1/secrets/{secret}"),
    Case("compositions.list", READS, "GET", "/v1/compositions", one=False),
    Case("compositions.create", WRITES, "POST", "/v1/compositions", {}, one=False),
    Case("compositions.validate", READS, "POST", "/v1/compositions/validate", {}, one=False),
    Case("compositions.test_state", WRITES, "POST", "/v1/compositions/test-state", {}, one=False),
    Case("compositions.show", READS, "GET", _C, shared=200),
    Case("compositions.definition", READS, "GET", f"{_C}/definition", shared=403),
    Case("compositions.definition", READS, "GET", f"{_C}/definition?format=svg&version=1",
         shared=403),
    Case("compositions.update", WRITES, "PATCH", _C, {"description": "x"}, shared=403),
    Case("compositions.delete", WRITES, "DELETE", _C, shared=403),
    Case("composition_shares.list", READS, "GET", f"{_C}/shares", shared=403),
    Case("composition_shares.create", WRITES, "POST", f"{_C}/shares",
         {"permission": "read", "target_id": "x"}, shared=403),
    Case("composition_shares.show", READS, "GET", f"{_C}/shares/{{lent}}", shared=403),
    Case("composition_shares.delete", WRITES, "DELETE", f"{_C}/shares/{{lent}}", shared=403),
    Case("composition_versions.list", READS, "GET", f"{_C}/versions", shared=200),
    Case("composition_versions.create", WRITES, "POST", f"{_C}/versions", {}, shared=403),
    Case("composition_versions.show", READS, "GET", f"{_C}/versions/1", shared=200),
    Case("composition_versions.update", WRITES, "PATCH", f"{_C}/versions/1", {"description": "x"},
         shared=403),
    Case("composition_versions.delete", WRITES, "DELETE", f"{_C}/versions/1", shared=403),
    Case("composition_aliases.list", READS, "GET", f"{_C}/aliases", shared=200),
    Case("composition_aliases.create", WRITES, "POST", f"{_C}/aliases",
         {"name": "mine", "composition_version": 1}, shared=403),
    Case("composition_aliases.show", READS, "GET", f"{_C}/aliases/live", shared=200),
    Case("composition_aliases.update", WRITES, "PATCH", f"{_C}/aliases/live",
         {"description": "x"}, shared=403),
    Case("composition_aliases.delete", WRITES, "DELETE", f"{_C}/aliases/live", shared=403),
    Case("composition_executions.list", READS, "GET", f"{_C}/executions", shared=200),
    Case("composition_executions.create", WRITES, "POST", f"{_C}/executions", {}, shared=201),
    Case("composition_executions.create", WRITES, "POST", f"{_C}/executions", {"version": 1},
         shared=201),
    Case("composition_executions.create", WRITES, "POST", f"{_C}/executions", {"alias": "live"},
         shared=201),
    *(
        Case("composition_executions.show", READS, "GET", path)
        for path in (_E, "/v1/compositions/-/executions/{run}")
    ),
    *(
        Case(f"composition_executions.{part}", READS, "GET", f"{_E}/{part}")
        for part in ("history", "drawing", "timeline", "approvals")
    ),
    *(
        Case(f"composition_executions.{verb}", WRITES, "POST", f"{_E}/{verb}", {})
        for verb in ("stop", "pause", "resume", "redrive")
    ),
    Case("composition_executions.delete", WRITES, "DELETE", _E),
    Case("triggers.list", READS, "GET", "/v1/triggers", one=False),
    Case("triggers.create", WRITES, "POST", "/v1/triggers", {}, one=False),
    Case("triggers.show", READS, "GET", _T),
    Case("triggers.update", WRITES, "PATCH", _T, {"description": ""}),
    Case("triggers.delete", WRITES, "DELETE", _T),
    Case("triggers.test", READS, "POST", f"{_T}/test", {"event": {}}),
    Case("triggers.renew_secret", WRITES, "POST", f"{_T}/secret", {}),
    Case("triggers.deliver", WRITES, "POST", f"{_T}/events", {}),
    Case("firings.list", READS, "GET", f"{_T}/firings"),
    Case("firings.show", READS, "GET", f"{_T}/firings/{{firing}}"),
    Case("firings.redrive", WRITES, "POST", f"{_T}/firings/{{firing}}/redrive", {}),
    Case("subscriptions.list", READS, "GET", "/v1/subscriptions", one=False),
    Case("subscriptions.create", WRITES, "POST", "/v1/subscriptions", {}, one=False),
    Case("subscriptions.show", READS, "GET", _S),
    Case("subscriptions.update", WRITES, "PATCH", _S, {"description": ""}),
    Case("subscriptions.delete", WRITES, "DELETE", _S),
    Case("subscriptions.renew_secret", WRITES, "POST", f"{_S}/secret", {}),
    Case("subscriptions.redrive", WRITES, "POST", f"{_S}/redrive", {}),
    Case("notices.list", READS, "GET", f"{_S}/notices"),
    Case("notices.purge", WRITES, "DELETE", f"{_S}/notices"),
    Case("events.create", WRITES, "POST", "/v1/events", {}, one=False),
    *(
        case
        for noun, body in (("job", {"name": ""}), ("webhook", {"description": ""}))
        for case in (
            Case(f"{noun}s.list", READS, "GET", f"/v1/{noun}s", one=False),
            Case(f"{noun}s.create", WRITES, "POST", f"/v1/{noun}s", {}, one=False),
            Case(f"{noun}s.show", READS, "GET", f"/v1/{noun}s/{{{noun}}}"),
            Case(f"{noun}s.replace", WRITES, "PUT", f"/v1/{noun}s/{{{noun}}}", body),
            Case(f"{noun}s.delete", WRITES, "DELETE", f"/v1/{noun}s/{{{noun}}}"),
        )
    ),
    Case("approvals.list", READS, "GET", "/v1/approvals", one=False),
    Case("activities.take", WRITES, "POST", "/v1/activities/build/task", {}, one=False),
    Case("runtimes.list", READS, "GET", "/v1/runtimes", one=False),
    Case("runtimes.show", READS, "GET", "/v1/runtimes/{runtime}"),
    Case("runtimes.create", ADMIN, "POST", "/v1/runtimes", {"image": "x"}, one=False),
    Case("runtimes.replace", ADMIN, "PUT", "/v1/runtimes/{runtime}", {"name": "x"}),
    Case("runtimes.update", ADMIN, "PATCH", "/v1/runtimes/{runtime}", {"name": "x"}),
    Case("runtimes.delete", ADMIN, "DELETE", "/v1/runtimes/{runtime}"),
    Case("runtimes.pool", ADMIN, "GET", "/v1/runtimes/{runtime}/pool"),
    Case("quotas.own", READS, "GET", "/v1/quotas", one=False),
    Case("quotas.show", ADMIN, "GET", "/v1/quotas/{project}"),
    Case("quotas.update", ADMIN, "PATCH", "/v1/quotas/{project}", {"functions": 5}),
    Case("quotas.delete", ADMIN, "DELETE", "/v1/quotas/{project}"),
]  # fmt: skip
