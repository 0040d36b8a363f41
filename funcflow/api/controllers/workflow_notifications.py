"""``/v1/workflow-notifications``: where Mistral tells that workflows ended.

It has no token for that, so a notification bears a key that we made for this one workflow. It is
believed no more than that: the workflow is looked at in Mistral.
"""

from __future__ import annotations

import time

import webob

from funcflow import errors, ids, workflows
from funcflow.api import reply
from funcflow.api.operations import PUBLIC, operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import common
from funcflow.db import workflow_runs
from funcflow.services import Services

#: Bytes; Mistral says a dozen short things.
_MOST = 64 * 1024
_HEARD = common.shape(
    {"waited_for": {"type": "boolean", "description": "Whether a task waits for the workflow."}},
    "WorkflowNotification",
)


class WorkflowNotifications:
    """Nothing is listed here."""

    index = resource()

    def __init__(self, services: Services) -> None:
        self._services = services

    @operation(
        index, "POST", "workflow_notifications.create", "Hear of the end of a workflow",
        {200: _HEARD}, errors=(404, 413), policy=PUBLIC,
    )  # fmt: skip
    def create(self, request: Request) -> webob.Response:
        """As Mistral's webhook publisher posts it, with the key it was given."""
        told = request.json(_MOST)
        # Workflows inside it tell of themselves with the same key.
        run_id = told.get("root_execution_id") or told.get("id")
        key = request.header(workflows.KEY_HEADER) or ""
        if not (isinstance(run_id, str) and ids.is_id(run_id)) or not workflows.known(
            self._services.conf, run_id, key
        ):
            raise errors.NotFound("nobody waits to hear of this workflow")
        heard = told.get("id") == run_id and self._services.database.transact(
            lambda connection: workflow_runs.hasten(connection, run_id, time.time())
        )
        return reply.answer({"waited_for": heard})
