"""A small client of funcflow's REST API. Used by the commands; prints nothing.

Things on the wire stay dictionaries, as the API guide shows them. Every method raises
:class:`funcflow.cli.faults.ClientError`.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Mapping
from typing import Any

from funcflow.cli import faults
from funcflow.cli.resources import (
    Collection,
    CompositionExecutions,
    Compositions,
    Executions,
    Functions,
    Resource,
    Secrets,
    Subscriptions,
    TaskTokens,
    Triggers,
)
from funcflow.cli.transport import Answer, Transport
from funcflow.cli.uploads import Form

__all__ = ["Client", "Collection", "Resource"]


class Client:
    """The API as collections of resources."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.runtimes = Collection(self, "/v1/runtimes", "runtimes", "runtime")
        self.functions = Functions(self, "/v1/functions", "functions", "function")
        self.aliases = Collection(self, "/v1/aliases", "function_aliases", "alias", look_up=False)
        self.executions = Executions(
            self, "/v1/executions", "executions", "execution", look_up=False
        )
        self.callbacks = Collection(self, "/v1/callbacks", "callbacks", "callback", look_up=False)
        self.dead_letters = Collection(
            self, "/v1/dead-letters", "dead_letters", "dead letter", look_up=False
        )
        self.compositions = Compositions(
            self, "/v1/compositions", "compositions", "composition", look_up=False
        )
        self.composition_executions = CompositionExecutions(
            self,
            "/v1/compositions/-/executions",
            "composition_executions",
            "composition execution",
            look_up=False,
        )
        self.triggers = Triggers(self, "/v1/triggers", "triggers", "trigger", look_up=False)
        self.subscriptions = Subscriptions(
            self, "/v1/subscriptions", "subscriptions", "subscription", look_up=False
        )
        self.task_tokens = TaskTokens(self)
        self.secrets = Secrets(self, "/v1/secrets", "secrets", "secret", look_up=False)

    def approvals_of(self, execution_id: str | None = None) -> Collection:
        """What waits for a decision, of one execution or of all."""
        path = "/v1/approvals"
        if execution_id is not None:
            path = f"/v1/compositions/-/executions/{urllib.parse.quote(execution_id)}/approvals"
        return Collection(self, path, "approvals", "approval", look_up=False)

    def decide(self, token: str, body: Mapping[str, Any]) -> None:
        """``body``: decision (approve or reject) and comment."""
        self.call("POST", f"/v1/approvals/{urllib.parse.quote(token, safe='')}", body)

    def quota(self, project_id: str | None = None) -> Resource:
        """What a project may use, and uses; None: the own one."""
        return self.call("GET", _quota_of(project_id))

    def set_quota(self, project_id: str, changes: Mapping[str, int | None]) -> Resource:
        """Change limits; None brings back the default."""
        return self.call("PATCH", _quota_of(project_id), changes)

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | Form | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        accept: str = "application/json",
    ) -> Answer:
        """An answer that is not an error, still to be read and closed."""
        sent = {"Accept": accept, "User-Agent": "funcflow-client", **(headers or {})}
        payload: Form | bytes | None = None
        if isinstance(body, Form):
            payload, sent["Content-Type"] = body, body.content_type
        elif body is not None:
            payload, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
        answer = self.transport.request(method, path, headers=sent, body=payload)
        if answer.status < 400:
            return answer
        with answer:
            raise _error(answer, b"".join(answer.chunks()))

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | Form | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Resource:
        """Send, and decode the JSON object answered ({} when there is none)."""
        with self.send(method, path, body, headers=headers) as answer:
            content = b"".join(answer.chunks())
        if not content.strip():
            return {}
        try:
            decoded = json.loads(content)
        except ValueError as exc:
            raise faults.ClientError(
                f"{method} {path} answered something that is not JSON",
                hint="Check that the endpoint is funcflow's.",
                status=answer.status,
            ) from exc
        return decoded if isinstance(decoded, dict) else {"value": decoded}


def _quota_of(project_id: str | None) -> str:
    if project_id is None:
        return "/v1/quotas"
    return f"/v1/quotas/{urllib.parse.quote(project_id, safe='')}"


def _error(answer: Answer, content: bytes) -> faults.ClientError:
    """The one error shape of the API, or what can be said of any other answer."""
    detail: dict[str, Any] = {}
    try:
        decoded = json.loads(content)
        detail = decoded.get("error") or {"message": decoded.get("faultstring")}
    except (ValueError, AttributeError):
        pass
    kind = faults.NotFound if answer.status == 404 else faults.ClientError
    hint = detail.get("hint")
    if retry_after := answer.header("Retry-After"):
        hint = f"{hint or 'The server is busy.'} (Retry after {retry_after} s.)"
    told = detail.get("message") or f"the server answered HTTP {answer.status}"
    return kind(
        "\n  ".join([told, *map(_problem, detail.get("problems", ()))]),
        hint=hint,
        code=detail.get("code"),
        status=answer.status,
        request_id=detail.get("request_id") or answer.header("X-Openstack-Request-Id"),
    )


def _problem(problem: Mapping[str, Any]) -> str:
    """One line of what is wrong with a definition."""
    line, column = problem.get("line"), problem.get("column")
    place = problem.get("pointer") or "/"
    if line is not None:
        place = f"{line}:{column} {place}"
    hint = f" ({problem['hint']})" if problem.get("hint") else ""
    return f"{problem.get('severity')}: {place}: {problem.get('message')}{hint}"
