"""The OpenAPI document is true: it names what there is, and a fuzzer finds nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from funcflow.cmd import up
from tests.api.client import Api

METHODS = ("get", "put", "post", "delete", "patch")
EXPECTED = """
GET /
GET /healthz
GET /metrics
GET /readyz
GET /v1
POST /v1/activities/{activity}/task
GET /v1/aliases
POST /v1/aliases
DELETE /v1/aliases/{alias_name}
GET /v1/aliases/{alias_name}
PATCH /v1/aliases/{alias_name}
PUT /v1/aliases/{alias_name}
GET /v1/approvals
GET /v1/approvals/{token}
POST /v1/events
GET /v1/jobs
POST /v1/jobs
DELETE /v1/jobs/{job_id}
GET /v1/jobs/{job_id}
PUT /v1/jobs/{job_id}
GET /v1/triggers
POST /v1/triggers
DELETE /v1/triggers/{trigger_id}
GET /v1/triggers/{trigger_id}
PATCH /v1/triggers/{trigger_id}
POST /v1/triggers/{trigger_id}/events
GET /v1/triggers/{trigger_id}/firings
GET /v1/triggers/{trigger_id}/firings/{firing_id}
POST /v1/triggers/{trigger_id}/firings/{firing_id}/redrive
POST /v1/triggers/{trigger_id}/secret
POST /v1/triggers/{trigger_id}/test
GET /v1/webhooks
POST /v1/webhooks
DELETE /v1/webhooks/{webhook_id}
GET /v1/webhooks/{webhook_id}
PUT /v1/webhooks/{webhook_id}
POST /v1/webhooks/{webhook_id}/invoke
POST /v1/workflow-notifications
POST /v1/approvals/{token}
GET /v1/callbacks
DELETE /v1/callbacks/{execution_id}
GET /v1/callbacks/{execution_id}
POST /v1/callbacks/{execution_id}/redrive
GET /v1/compositions
POST /v1/compositions
POST /v1/compositions/test-state
POST /v1/compositions/validate
DELETE /v1/compositions/{composition_id}
GET /v1/compositions/{composition_id}
PATCH /v1/compositions/{composition_id}
GET /v1/compositions/{composition_id}/aliases
POST /v1/compositions/{composition_id}/aliases
DELETE /v1/compositions/{composition_id}/aliases/{alias_name}
GET /v1/compositions/{composition_id}/aliases/{alias_name}
PATCH /v1/compositions/{composition_id}/aliases/{alias_name}
GET /v1/compositions/{composition_id}/definition
GET /v1/compositions/{composition_id}/executions
POST /v1/compositions/{composition_id}/executions
DELETE /v1/compositions/{composition_id}/executions/{execution_id}
GET /v1/compositions/{composition_id}/executions/{execution_id}
GET /v1/compositions/{composition_id}/executions/{execution_id}/approvals
GET /v1/compositions/{composition_id}/executions/{execution_id}/drawing
GET /v1/compositions/{composition_id}/executions/{execution_id}/history
POST /v1/compositions/{composition_id}/executions/{execution_id}/pause
POST /v1/compositions/{composition_id}/executions/{execution_id}/redrive
POST /v1/compositions/{composition_id}/executions/{execution_id}/resume
POST /v1/compositions/{composition_id}/executions/{execution_id}/stop
GET /v1/compositions/{composition_id}/executions/{execution_id}/timeline
GET /v1/compositions/{composition_id}/versions
POST /v1/compositions/{composition_id}/versions
DELETE /v1/compositions/{composition_id}/versions/{version}
GET /v1/compositions/{composition_id}/versions/{version}
PATCH /v1/compositions/{composition_id}/versions/{version}
DELETE /v1/dead-letters
GET /v1/dead-letters
DELETE /v1/dead-letters/{execution_id}
GET /v1/dead-letters/{execution_id}
POST /v1/dead-letters/{execution_id}/redrive
GET /v1/executions
POST /v1/executions
DELETE /v1/executions/{execution_id}
GET /v1/executions/{execution_id}
PATCH /v1/executions/{execution_id}
POST /v1/executions/{execution_id}/cancel
GET /v1/executions/{execution_id}/log
GET /v1/functions
POST /v1/functions
DELETE /v1/functions/{function_id}
GET /v1/functions/{function_id}
PATCH /v1/functions/{function_id}
PUT /v1/functions/{function_id}
POST /v1/functions/{function_id}/detach
POST /v1/functions/{function_id}/scale_down
POST /v1/functions/{function_id}/scale_up
DELETE /v1/functions/{function_id}/scaling
GET /v1/functions/{function_id}/scaling
PUT /v1/functions/{function_id}/scaling
GET /v1/compositions/{composition_id}/shares
POST /v1/compositions/{composition_id}/shares
DELETE /v1/compositions/{composition_id}/shares/{share_id}
GET /v1/compositions/{composition_id}/shares/{share_id}
GET /v1/functions/{function_id}/shares
POST /v1/functions/{function_id}/shares
DELETE /v1/functions/{function_id}/shares/{share_id}
GET /v1/functions/{function_id}/shares/{share_id}
GET /v1/functions/{function_id}/versions
POST /v1/functions/{function_id}/versions
DELETE /v1/functions/{function_id}/versions/{version}
GET /v1/functions/{function_id}/versions/{version}
PATCH /v1/functions/{function_id}/versions/{version}
POST /v1/functions/{function_id}/versions/{version}/detach
POST /v1/functions/{function_id}/versions/{version}/scale_down
POST /v1/functions/{function_id}/versions/{version}/scale_up
GET /v1/functions/{function_id}/workers
GET /v1/openapi.json
GET /v1/quotas
DELETE /v1/quotas/{project_id}
GET /v1/quotas/{project_id}
PATCH /v1/quotas/{project_id}
GET /v1/runtimes
POST /v1/runtimes
DELETE /v1/runtimes/{runtime_id}
GET /v1/runtimes/{runtime_id}
PATCH /v1/runtimes/{runtime_id}
PUT /v1/runtimes/{runtime_id}
GET /v1/runtimes/{runtime_id}/pool
GET /v1/secrets
POST /v1/secrets
DELETE /v1/secrets/{secret_id}
GET /v1/secrets/{secret_id}
PUT /v1/secrets/{secret_id}
GET /v1/subscriptions
POST /v1/subscriptions
DELETE /v1/subscriptions/{subscription_id}
GET /v1/subscriptions/{subscription_id}
PATCH /v1/subscriptions/{subscription_id}
DELETE /v1/subscriptions/{subscription_id}/notices
GET /v1/subscriptions/{subscription_id}/notices
POST /v1/subscriptions/{subscription_id}/redrive
POST /v1/subscriptions/{subscription_id}/secret
POST /v1/task-tokens/{token}/failure
POST /v1/task-tokens/{token}/heartbeat
POST /v1/task-tokens/{token}/success
"""


@pytest.fixture(scope="module")
def document(api: Api) -> dict[str, Any]:
    answer: dict[str, Any] = api("GET", "/v1/openapi.json").json
    return answer


def test_paths(document: dict[str, Any]) -> None:
    """Exactly the paths and methods we mean to offer."""
    found = [
        f"{method.upper()} {path}"
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    ]
    assert sorted(found) == sorted(EXPECTED.split("\n")[1:-1])


def test_every_documented_method_is_routed(api: Api, document: dict[str, Any]) -> None:
    """None of them is answered as an unknown path or method, and all others are."""
    for path, item in document["paths"].items():
        concrete = path.replace("{version}", "1").replace("{", "no-").replace("}", "")
        for method in METHODS:
            answer = api(method.upper(), concrete, {} if method != "get" else None)
            unknown = ("no_such_path", "method_not_allowed")
            known = answer.status not in (404, 405) or answer.code not in unknown
            assert known == (method in item), (method, path, answer)


def test_every_operation_has_an_id_of_its_own(document: dict[str, Any]) -> None:
    """Ids name client methods and metrics."""
    ids = [
        item[method]["operationId"]
        for item in document["paths"].values()
        for method in METHODS
        if method in item
    ]
    assert len(set(ids)) == len(ids)


def test_links_lead_somewhere(document: dict[str, Any]) -> None:
    """They name operations and parameters that are there."""
    operations = {
        item[method]["operationId"]: {p["name"] for p in item.get("parameters", [])}
        for item in document["paths"].values()
        for method in METHODS
        if method in item
    }
    links = [
        link
        for item in document["paths"].values()
        for response in item.get("post", {}).get("responses", {}).values()
        for link in response.get("links", {}).values()
    ]
    assert links
    for link in links:
        assert set(link["parameters"]) <= operations[link["operationId"]]


@pytest.mark.timeout(600)
def test_a_fuzzer_finds_nothing(tmp_path: Path) -> None:
    """No 5xx, and nothing the document does not allow; bounded, from a fixed seed.

    Left out is the check that whatever fits the schemas is accepted: limits that are configured,
    or that span fields, no schema can tell.
    """
    conf = up.load(up.Options(port=0, data_dir=str(tmp_path / "data")))
    # Nobody waits longer than the fuzzer does for an answer.
    conf.set_override("sync_wait", 5.0, group="api")
    server = up.Server(conf)
    try:
        # What the document's examples name is there.
        api = Api(server.url)
        api.function("def main(**rest):\n    return rest\n", name="hello")
        assert api("POST", "/v1/functions/hello/versions", {}).status == 201
        alias = {"name": "live", "function_id": "hello"}
        assert api("POST", "/v1/aliases", alias).status == 201
        states = {"A": {"Type": "Pass", "End": True}}
        greeting = {"name": "greeting", "definition": {"StartAt": "A", "States": states}}
        assert api("POST", "/v1/compositions", greeting).status == 201
        below = "/v1/compositions/greeting"
        assert api("POST", f"{below}/versions", {}).status == 201
        assert api("POST", f"{below}/aliases", {"name": "live"}).status == 201
        done = subprocess.run(
            [
                sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/v1/openapi.json",
                "--checks", "all", "--exclude-checks", "positive_data_acceptance",
                "--seed", "1", "--max-examples", "4", "--continue-on-failure", "--no-color",
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )  # fmt: skip
    finally:
        server.stop()
    assert done.returncode == 0, done.stdout[-20_000:]
    # All but the document itself.
    count = len(EXPECTED.split("\n")[1:-1]) - 1
    assert f"{count} selected / {count} total" in done.stdout
