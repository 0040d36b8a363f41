"""A real Mistral with our actions, and a funcflow as a process, both behind one Keystone."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import requests

from tests import openstack
from tests.integration import faults
from tests.waiting import until
from tools.services import identities, mistral

ROOT = Path(__file__).resolve().parents[3]
OVER = {"SUCCESS", "ERROR", "CANCELLED"}


def login(cloud: identities.Cloud, name: str) -> dict[str, str]:
    """``[keystone_authtoken]`` of a service."""
    user = cloud.user(name)
    cloud.grant(user, "service", "admin", project=cloud.project("service"))
    return {
        "auth_url": cloud.auth_url,
        "www_authenticate_uri": cloud.auth_url,
        "auth_type": "password",
        "username": user.name,
        "password": user.password,
        "project_name": "service",
        "user_domain_id": "default",
        "project_domain_id": "default",
        "service_token_roles_required": "true",
    }


@dataclasses.dataclass(frozen=True)
class Stage:
    """What the tests of this folder play on; everybody's things are of one project."""

    mistral: mistral.Server
    funcflow: faults.Embedded
    team: openstack.Team
    token: str

    # -- Mistral --------------------------------------------------------------------------

    def ask(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        """Mistral's answer; JSON."""
        data = body if body is None or kind == "text/plain" else json.dumps(body)
        headers = {"X-Auth-Token": self.token, "Content-Type": kind}
        url = f"{self.mistral.url}/v2/{path}"
        answer = requests.request(method, url, data=data, headers=headers, timeout=60)
        assert answer.status_code < 400, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def define(self, text: str) -> None:
        """Make workflows."""
        self.ask("POST", "workflows", text, "text/plain")

    def begin(self, workflow: str, **given: Any) -> str:
        """Start an execution of a workflow; its id."""
        body = {"workflow_name": workflow, "input": given}
        return str(self.ask("POST", "executions", body)["id"])

    def end(self, execution: str, timeout: float = 60.0) -> dict[str, Any]:
        """The execution once it is over, with its output as JSON."""

        def over() -> dict[str, Any] | None:
            with contextlib.suppress(requests.RequestException):
                found: dict[str, Any] = self.ask("GET", f"executions/{execution}")
                if found["state"] in OVER:
                    return found
            return None

        found = until(over, timeout, "the workflow's end")
        assert found is not None
        return {**found, "output": json.loads(found["output"] or "{}")}

    def run(self, workflow: str, **given: Any) -> dict[str, Any]:
        return self.end(self.begin(workflow, **given))

    def actions(self, execution: str) -> list[dict[str, Any]]:
        """The action executions of a workflow execution."""
        tasks = self.ask("GET", f"tasks?workflow_execution_id={execution}")["tasks"]
        found = []
        for task in tasks:
            query = f"action_executions?task_execution_id={task['id']}&include_output=true"
            found += self.ask("GET", query)["action_executions"]
        return found

    # -- funcflow -------------------------------------------------------------------------

    @property
    def api(self) -> openstack.As:
        return openstack.As(self.funcflow.url, self.token)

    def function(self, name: str, source: str, **fields: Any) -> str:
        """Deploy a function, or give it this code; its name."""
        known = self.api("GET", f"/v1/functions/{name}")
        if known.status == 404:
            self.api.function(source, name=name, **fields)
        return name

    def executions(self, **query: str) -> list[dict[str, Any]]:
        wanted = "&".join(f"{name}={value}" for name, value in query.items())
        found: list[dict[str, Any]] = self.api("GET", f"/v1/executions?{wanted}").json["executions"]
        return found

    def running(self, function: str) -> dict[str, Any]:
        """The one execution of the function, once it runs."""
        function_id = self.api("GET", f"/v1/functions/{function}").json["id"]

        def found() -> dict[str, Any] | None:
            rows = self.executions(function_id=function_id)
            return next((row for row in rows if row["state"] == "running"), None)

        row = until(found, 30, f"{function} to run")
        assert row is not None
        return row

    def state(self, execution: str) -> str:
        return str(self.api("GET", f"/v1/executions/{execution}").json["state"])


@contextlib.contextmanager
def open_stage(
    folder: Path, broker: str, database: str, cloud: identities.Cloud
) -> Iterator[Stage]:
    settings: dict[str, Mapping[str, Any]] = {
        "api": {"auth": "keystone"},
        "keystone_authtoken": login(cloud, "funcflow"),
        "callbacks": {"backoff": 0.1, "max_backoff": 0.5, "look": 0.3, "timeout": 5},
    }
    functions = faults.Embedded(folder / "funcflow", settings)
    workflows = mistral.Server(
        folder / "mistral",
        broker,
        database,
        actions=mistral.wheel(folder),
        settings={
            "pecan": {"auth_enable": "true"},
            "keystone_authtoken": {**login(cloud, "mistral"), "token_cache_time": "-1"},
            "funcflow": {"url": functions.url},
            "action_std_http": {"denied_cidrs": ""},
        },
    )
    # Whoever hears of the end of a workflow has been told: looks are too rare for that.
    told = {"url": workflows.url, "notify_url": functions.url, "timeout": 5}
    functions.configure({**settings, "mistral": {**told, "look": 600, "max_look": 600}})
    team = openstack.Team.make(cloud, functions.url)
    try:
        workflows.launch()
        functions.start()
        workflows.wait_ready()
        yield Stage(workflows, functions, team, team.token("member"))
    finally:
        functions.stop()
        workflows.stop()
