"""The tree of paths: which controller answers where.

Called by :mod:`funcflow.api.app`. Pecan follows attributes from :class:`Root`; attributes with an
underscore are never path segments.
"""

from __future__ import annotations

from importlib import metadata
from typing import Any

import webob

from funcflow.api import openapi, reply
from funcflow.api.controllers import (
    activities,
    aliases,
    approvals,
    callbacks,
    compositions,
    dead_letters,
    discovery,
    events,
    executions,
    functions,
    health,
    jobs,
    quotas,
    runtimes,
    secrets,
    subscriptions,
    task_tokens,
    triggers,
    webhooks,
    workflow_notifications,
)
from funcflow.api.metrics import Metrics
from funcflow.api.operations import PUBLIC, operation, resource
from funcflow.api.request import Request
from funcflow.api.waiting import Slots
from funcflow.services import Services


class Root(discovery.Versions):
    """``/``"""

    def __init__(self, services: Services, metrics: Metrics, slots: Slots) -> None:
        self.v1 = V1(services, slots)
        self.healthz = health.Alive()
        self.readyz = health.Ready(services)
        self.metrics = health.Exposition(metrics)
        document = Document()
        # A segment that no Python name can spell.
        setattr(self.v1, "openapi.json", document)
        document.fill(openapi.document(self, "funcflow", metadata.version("funcflow")))


class V1(discovery.Version):
    """``/v1``"""

    def __init__(self, services: Services, slots: Slots) -> None:
        self.runtimes = runtimes.Runtimes(services)
        self.functions = functions.Functions(services)
        self.aliases = aliases.Aliases(services)
        self.executions = executions.Executions(services, slots)
        self.callbacks = callbacks.Callbacks(services)
        self.quotas = quotas.Quotas(services)
        self.secrets = secrets.Secrets(services)
        self.compositions = compositions.Compositions(services, slots)
        self.approvals = approvals.Approvals(services)
        self.triggers = triggers.Triggers(services)
        self.subscriptions = subscriptions.Subscriptions(services)
        self.events = events.Events(services)
        self.jobs = jobs.Jobs(services)
        self.webhooks = webhooks.Webhooks(services)
        self.activities = activities.Activities(services, slots)
        setattr(self, "task-tokens", task_tokens.TaskTokens(services))
        notified = workflow_notifications.WorkflowNotifications(services)
        setattr(self, "workflow-notifications", notified)
        setattr(self, "dead-letters", dead_letters.DeadLetters(services))


class Document:
    """``/v1/openapi.json``, the description of everything, itself included."""

    index = resource()

    def __init__(self) -> None:
        self._body = b""

    def fill(self, document: dict[str, Any]) -> None:
        self._body = reply.answer(document).body

    @operation(
        index, "GET", "openapi.show", "This document", {200: {"type": "object"}}, policy=PUBLIC,
    )  # fmt: skip
    def show(self, request: Request) -> webob.Response:
        return reply.encoded(self._body)
