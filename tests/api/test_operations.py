"""Every route is guarded by a rule, whatever its controller does."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import pytest
from oslo_policy import policy

from funcflow import errors, models, policies
from funcflow.api import app, operations
from tests.api import doubles

#: Who may call them is nobody's secret.
PUBLIC = {"/", "/v1", "/healthz", "/readyz", "/metrics", "/v1/openapi.json"}
#: Whoever has the token in them may.
PUBLIC |= {"/v1/approvals/{token}", "/v1/webhooks/{webhook_id}/invoke"}
PUBLIC |= {f"/v1/task-tokens/{{token}}/{verb}" for verb in ("success", "failure", "heartbeat")}
#: Whoever has the key of the workflow may.
PUBLIC |= {"/v1/workflow-notifications"}
#: Rules of details, applied where the detail is.
DETAILS = {"all_projects", "secrets:mount", "shares:create_wide", "composition_shares:create_wide"}
NOBODY = models.RequestContext(project_id="own", request_id="req-1")


@pytest.fixture(scope="module")
def parts() -> Iterator[doubles.Parts]:
    with tempfile.TemporaryDirectory(prefix="funcflow-") as folder:
        made = doubles.parts(folder)
        yield made
        made.database.close()


def routes(parts: doubles.Parts) -> list[tuple[str, operations.Operation]]:
    found = list(operations.walk(parts.app.root))
    assert len(found) > 40
    return found


def test_every_route_has_a_rule_that_names_it(parts: doubles.Parts) -> None:
    """And no rule names a route that is not there."""
    named: dict[tuple[str, str], str] = {
        (operation["method"], operation["path"]): rule.name
        for rule in policies.list_rules()
        if isinstance(rule, policy.DocumentedRuleDefault) and rule.name not in DETAILS
        for operation in rule.operations
    }
    guarded = {
        (operation.method, path): operation.rule
        for path, operation in routes(parts)
        if path not in PUBLIC
    }
    assert guarded == named


def test_public_is_what_we_mean_to_be(parts: doubles.Parts) -> None:
    public = {path for path, operation in routes(parts) if operation.rule == operations.PUBLIC}
    assert public == PUBLIC


def test_somebody_without_a_role_is_refused_everywhere(
    parts: doubles.Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a parameter or a body is looked at."""
    monkeypatch.setattr(parts.app, "_admit", lambda environ, request: NOBODY)
    for path, operation in routes(parts):
        concrete = path.replace("{version}", "1").replace("{", "no-").replace("}", "")
        answer = doubles.call(parts.app, operation.method, f"{concrete}?nonsense=1", [])
        if path in PUBLIC:
            assert answer.status != 403, path
        else:
            assert (answer.status, answer.json["error"]["code"]) == (403, "policy_denied"), path


def test_an_operation_without_a_rule_of_its_name_does_not_start(parts: doubles.Parts) -> None:
    """Whoever adds one hears of it at once."""
    with pytest.raises(errors.ConfigError, match="has no rule"):
        app._open_paths(parts.app.root, frozenset({"functions:list"}))
